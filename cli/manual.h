// SPDX-License-Identifier: Apache-2.0
// Manual pages (man(7)), rendered from the same tables as help and completion. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"

namespace knarr::cli {

struct ManualPage {
  std::string name;  // "knarr-container-rm"; the file is NAME.1
  std::string text;
};

// knarr(1), and one page for each command that is shown; its further names lead to it (.so).
std::vector<ManualPage> render_manual(const Program& program, std::string_view version);

// Text as roff takes it: no line is a request, no character another one.
std::string escape_roff(std::string_view text);

}  // namespace knarr::cli
