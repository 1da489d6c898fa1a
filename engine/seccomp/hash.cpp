// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/hash.h"

namespace knarr::engine::seccomp {

void Hash::add(const void* bytes, std::size_t count) {
  constexpr Value prime = (Value{1} << 88) | 0x13b;
  const auto* next = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < count; ++i) value_ = (value_ ^ next[i]) * prime;
}

void Hash::add(std::string_view text) {
  add(std::uint64_t{text.size()});
  add(text.data(), text.size());
}

void Hash::add(std::uint64_t number) {
  add(&number, sizeof(number));
}

std::uint64_t Hash::value64() const {
  return static_cast<std::uint64_t>(value_ ^ (value_ >> 64));
}

std::string Hash::hex() const {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 124; shift >= 0; shift -= 4) text += digits[static_cast<unsigned>(value_ >> shift) & 0xf];
  return text;
}

}  // namespace knarr::engine::seccomp
