// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "netns/netlink/message.h"

namespace knarr::test {

inline std::string hex(netns::netlink::Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

}  // namespace knarr::test
