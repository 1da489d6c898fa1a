// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/source_date.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "rootless/sys/error.h"

namespace knarr::cli {

std::optional<std::int64_t> source_date() {
  const char* const text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return std::nullopt;
  std::int64_t seconds = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc() || end != digits.data() + digits.size() || seconds < 0)
    throw InvalidArgument(concat("SOURCE_DATE_EPOCH is no number of seconds: ", text));
  return seconds;
}

}  // namespace knarr::cli
