// SPDX-License-Identifier: Apache-2.0
// How packets get to a socket that speaks with an address that is not this host's (IP_TRANSPARENT, ip(7)):
// they are marked, and marked packets are looked up in a table that calls every address local.
#pragma once

#include <cstdint>

#include "netns/namespace.h"

namespace knarr::netns {

constexpr std::uint32_t transparent_mark = 0x6b6e;
constexpr std::uint32_t transparent_table = 0x6b6e;
constexpr std::uint32_t transparent_rule_priority = 100;

// The rule and the table. In a container's namespace: whoever connects to its own addresses from inside,
// marked (SO_MARK) and with another host's address, is answered; needed where TCP ports are published. In
// the engine's: the flows of UDP, which nf_tables marks. Once more is fine. Throws SysError.
void apply_transparent_replies(Namespace& netns);

}  // namespace knarr::netns
