// SPDX-License-Identifier: Apache-2.0
// What a container's network namespace needs so that published TCP ports keep the client's address. The
// forwarder connects inside that namespace from the client's address, with this mark; what the server answers
// would leave by the default route. So (per family where it is per family):
//   sysctl net.ipv4.tcp_fwmark_accept=1                the accepted socket has the mark of its SYN; v6, too
//   sysctl net.ipv4.fwmark_reflect=1               so has what the kernel answers by itself: the RST of a
//   refusal sysctl net.ipv6.fwmark_reflect=1 ip rule add fwmark forward_mark lookup forward_table ip route
//   add local default dev lo table forward_table      the answer is delivered here, to the forwarder
#pragma once

#include <cstdint>

namespace knarr::netns::forward {

// Numbers nobody else is likely to use: a container may have marks and tables of its own.
constexpr std::uint32_t forward_mark = 0x6b6e6172;
constexpr std::uint32_t forward_table = 0x6b6e6172;

}  // namespace knarr::netns::forward
