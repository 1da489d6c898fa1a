// SPDX-License-Identifier: Apache-2.0
#include "storage/meta/random.h"

#include <sys/random.h>

#include "rootless/sys/error.h"

namespace knarr::storage {

std::string random_hex(std::size_t digits) {
  constexpr char hex[] = "0123456789abcdef";
  std::string bytes(digits / 2, '\0');
  // Requests of up to 256 bytes are neither interrupted nor cut short once the pool is ready (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw_errno("getting random bytes");
  }
  std::string text;
  text.reserve(digits);
  for (const unsigned char byte : bytes) text += {hex[byte >> 4], hex[byte & 15]};
  return text;
}

}  // namespace knarr::storage
