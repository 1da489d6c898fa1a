// SPDX-License-Identifier: Apache-2.0
// Columns for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

// The title first (leave the row out for --noheading). Each column but the last is as wide as its widest cell
// and two blanks, at least 12 characters. The last cell of a row is not padded.
std::string render_table(const std::vector<std::vector<std::string>>& rows);

// At most `count` characters; what is longer ends in "...".
std::string shorten(std::string_view text, std::size_t count);
// The first 12 digits.
std::string short_id(std::string_view id);

}  // namespace knarr::cli
