// SPDX-License-Identifier: Apache-2.0
// A stream of bytes as the inside of JSON strings (RFC 8259, section 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace knarr::engine::monitor {

// One per stream: a UTF-8 sequence may be cut by the end of a read. What is not UTF-8 becomes U+FFFD.
class JsonEscaper {
 public:
  // The room that `size` bytes may need, those held back before included.
  static constexpr std::size_t room(std::size_t size) { return (size + 4) * 6; }

  // Writes to `out` and returns its new end. An unfinished sequence at the end is held back.
  char* escape(char* out, std::string_view bytes);
  // No more bytes belong to what is held back.
  char* finish(char* out);
  bool holds_back() const { return have_ != 0; }

 private:
  char* begin_sequence(char* out, unsigned char byte);
  char* continue_sequence(char* out, unsigned char byte);

  unsigned char held_[4] = {};
  std::uint8_t have_ = 0;
  std::uint8_t need_ = 0;
  unsigned char low_ = 0x80, high_ = 0xbf;  // what the next byte may be
};

}  // namespace knarr::engine::monitor
