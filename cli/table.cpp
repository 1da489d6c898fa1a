// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>

#include "cli/text.h"

namespace knarr::cli {

namespace {

constexpr std::size_t narrowest = 12;
constexpr std::size_t gap = 2;
constexpr std::size_t short_id_length = 12;

// The last cell of a row takes no part: nothing is to be aligned behind it.
std::vector<std::size_t> column_widths(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(narrowest);
      widths[i] = std::max(widths[i], count_characters(row[i]) + gap);
    }
  }
  return widths;
}

}  // namespace

std::string render_table(const std::vector<std::vector<std::string>>& rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - count_characters(row[i]), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string shorten(std::string_view text, std::size_t count) {
  if (count_characters(text) <= count) return std::string(text);
  constexpr std::string_view dots = "...";
  const std::size_t kept = count > dots.size() ? count - dots.size() : 0;
  return std::string(first_characters(text, kept)).append(dots);
}

std::string short_id(std::string_view id) {
  return std::string(id.substr(0, short_id_length));
}

}  // namespace knarr::cli
