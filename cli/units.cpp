// SPDX-License-Identifier: Apache-2.0
#include "cli/units.h"

#include <cstdio>
#include <iterator>

#include "engine/time_format.h"

namespace knarr::cli {

namespace {

constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

struct Scaled {
  double size;
  const char* unit;
};
// In the first unit of which there are less than `limit`.
Scaled scale(std::uint64_t bytes, double limit) {
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= limit && unit + 1 < std::size(units)) {
    size /= 1000;
    ++unit;
  }
  return {size, units[unit]};
}

}  // namespace

std::string human_size(std::uint64_t bytes) {
  // 999.5 and more would be rounded to four digits.
  const auto [size, unit] = scale(bytes, 999.5);
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", size, unit);
  return text;
}

std::string compact_size(std::uint64_t bytes) {
  const auto [size, unit] = scale(bytes, 1000);
  char text[32];
  std::snprintf(text, sizeof text, "%.4g%s", size, unit);
  return text;
}

std::string render_go_time(std::int64_t ns) {
  std::string text = engine::render_rfc3339_nano(ns, engine::TimeZone::utc);
  text[text.find('T')] = ' ';
  text.pop_back();  // Z
  return text + " +0000 UTC";
}

}  // namespace knarr::cli
