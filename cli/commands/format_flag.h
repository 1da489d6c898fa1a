// SPDX-License-Identifier: Apache-2.0
// --format of the verbs that show a table without it.
#pragma once

#include <optional>
#include <string>

#include "cli/flags.h"

namespace knarr::cli {

inline constexpr Flag list_format_flag =
    text_flag("format", 0, "TEMPLATE", "Show JSON (json) or what a Go template says, a row each");

// nullopt: the table the verb shows by itself, which docker's users also call "table".
inline std::optional<std::string> list_format(const Arguments& arguments) {
  auto format = arguments.find_text("format");
  if (format && (format->empty() || *format == "table")) return std::nullopt;
  return format;
}

}  // namespace knarr::cli
