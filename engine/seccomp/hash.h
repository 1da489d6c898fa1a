// SPDX-License-Identifier: Apache-2.0
// FNV-1a with 128 bits: tells contents apart that nobody made to collide. What it names lies in a directory
// of the user alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace knarr::engine::seccomp {

class Hash {
 public:
  void add(const void* bytes, std::size_t count);
  // With the length in front, so that "ab", "c" and "a", "bc" differ.
  void add(std::string_view text);
  void add(std::uint64_t number);

  std::uint64_t value64() const;
  std::string hex() const;  // 32 digits

 private:
  __extension__ using Value = unsigned __int128;
  Value value_ = (Value{0x6c62272e07bb0142} << 64) | 0x62b821756295c58d;  // the offset basis of FNV
};

}  // namespace knarr::engine::seccomp
