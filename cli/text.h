// SPDX-License-Identifier: Apache-2.0
// Small things with strings. Characters are UTF-8 code points; a stray byte counts as one character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

std::string lower_case(std::string_view text);  // ASCII only
std::string upper_case(std::string_view text);  // ASCII only
std::vector<std::string> split(std::string_view text, std::string_view separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
std::string_view trim(std::string_view text);  // spaces, tabs, newlines
bool contains(const std::vector<std::string>& list, std::string_view item);

// The bytes of the character at `offset`: 1 to 4; 1 for what is not UTF-8.
std::size_t character_bytes(std::string_view text, std::size_t offset);
std::size_t count_characters(std::string_view text);
// The first `count` characters.
std::string_view first_characters(std::string_view text, std::size_t count);
void append_utf8(std::string& text, char32_t character);
// The code point at `offset`, U+FFFD for what is not UTF-8.
char32_t decode_utf8(std::string_view text, std::size_t offset);

// "NAME=VALUE" cut at the first '='; without one the value is empty and `has_value` false.
struct KeyValue {
  std::string key, value;
  bool has_value = false;
};
KeyValue split_key_value(std::string_view text);

}  // namespace knarr::cli
