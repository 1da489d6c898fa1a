// SPDX-License-Identifier: Apache-2.0
#include "cli/quote.h"

#include "cli/text.h"

namespace knarr::cli {

namespace {

constexpr char digits[] = "0123456789abcdef";

void append_hex(std::string& text, std::string_view prefix, char32_t value, int width) {
  text += prefix;
  for (int shift = (width - 1) * 4; shift >= 0; shift -= 4) text += digits[value >> shift & 15];
}

bool is_stray_byte(std::string_view text, std::size_t offset, char32_t character) {
  return character == 0xFFFD && character_bytes(text, offset) == 1;
}

void append_go_control(std::string& quoted, char32_t character) {
  constexpr std::string_view controls = "\a\b\f\n\r\t\v";
  constexpr std::string_view letters = "abfnrtv";
  const std::size_t at = controls.find(static_cast<char>(character));
  if (character < 0x80 && at != std::string_view::npos) {
    quoted += '\\';
    quoted += letters[at];
  } else if (character < 0x80) {
    append_hex(quoted, "\\x", character, 2);
  } else {
    append_hex(quoted, "\\u", character, 4);
  }
}

bool is_control(char32_t character) {
  return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

void append_json_control(std::string& quoted, char32_t character) {
  constexpr std::string_view controls = "\b\f\n\r\t";
  constexpr std::string_view letters = "bfnrt";
  const std::size_t at = controls.find(static_cast<char>(character));
  if (at != std::string_view::npos) {
    quoted += '\\';
    quoted += letters[at];
  } else {
    append_hex(quoted, "\\u", character, 4);
  }
}

}  // namespace

std::string quote_go(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); i += character_bytes(text, i)) {
    const char32_t character = decode_utf8(text, i);
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(character);
    } else if (is_stray_byte(text, i, character)) {
      append_hex(quoted, "\\x", static_cast<unsigned char>(text[i]), 2);
    } else if (is_control(character)) {
      append_go_control(quoted, character);
    } else {
      quoted.append(text, i, character_bytes(text, i));
    }
  }
  quoted += '"';
  return quoted;
}

std::string quote_json(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); i += character_bytes(text, i)) {
    const char32_t character = decode_utf8(text, i);
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(character);
    } else if (character < 0x20) {
      append_json_control(quoted, character);
    } else if (character == 0x2028 || character == 0x2029) {
      append_hex(quoted, "\\u", character, 4);  // as encoding/json does: they end a line in JavaScript
    } else {
      append_utf8(quoted, character);
    }
  }
  quoted += '"';
  return quoted;
}

}  // namespace knarr::cli
