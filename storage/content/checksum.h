// SPDX-License-Identifier: Apache-2.0
// XXH64 (xxHash specification 0.1.1): tells bytes apart at memory speed. It finds damage, not forgery.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace knarr::storage {

class Checksum {
 public:
  Checksum();
  void update(std::string_view bytes);
  std::uint64_t value() const;  // of all bytes so far

 private:
  void mix(const char* stripe);

  std::array<std::uint64_t, 4> lanes_;
  std::array<char, 32> rest_{};  // bytes that do not fill a stripe yet
  std::size_t rest_size_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace knarr::storage
