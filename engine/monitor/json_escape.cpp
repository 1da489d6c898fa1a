// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/json_escape.h"

#include <cstring>

namespace knarr::engine::monitor {

namespace {

char* copy(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_replacement(char* out) {
  return copy(out, "\\ufffd");
}

char* put_control(char* out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  switch (byte) {
    case '\n':
      return copy(out, "\\n");
    case '\r':
      return copy(out, "\\r");
    case '\t':
      return copy(out, "\\t");
    default:
      out = copy(out, "\\u00");
      *out++ = digits[byte >> 4];
      *out++ = digits[byte & 15];
      return out;
  }
}

bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

char* put_ascii(char* out, unsigned char byte) {
  if (byte < 0x20 || byte == 0x7f) return put_control(out, byte);
  if (byte == '"' || byte == '\\') *out++ = '\\';
  *out++ = static_cast<char>(byte);
  return out;
}

}  // namespace

char* JsonEscaper::escape(char* out, std::string_view bytes) {
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (have_ == 0 && is_plain(value)) {
      *out++ = byte;
    } else {
      out = have_ == 0 ? begin_sequence(out, value) : continue_sequence(out, value);
    }
  }
  return out;
}

char* JsonEscaper::finish(char* out) {
  if (have_ == 0) return out;
  have_ = 0;
  return put_replacement(out);
}

// RFC 3629, section 4: the lead byte tells the length, and for some what the second byte may be.
char* JsonEscaper::begin_sequence(char* out, unsigned char byte) {
  if (byte < 0x80) return put_ascii(out, byte);
  if (byte < 0xc2 || byte > 0xf4) return put_replacement(out);
  need_ = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  held_[0] = byte;
  have_ = 1;
  return out;
}

char* JsonEscaper::continue_sequence(char* out, unsigned char byte) {
  if (byte < low_ || byte > high_) return begin_sequence(finish(out), byte);
  held_[have_++] = byte;
  low_ = 0x80;
  high_ = 0xbf;
  if (have_ < need_) return out;
  have_ = 0;
  return copy(out, {reinterpret_cast<const char*>(held_), need_});
}

}  // namespace knarr::engine::monitor
