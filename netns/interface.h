// SPDX-License-Identifier: Apache-2.0
// What all interfaces in a container have in common, whatever they hang on.
#pragma once

#include "netns/links.h"
#include "netns/namespace.h"
#include "netns/network_plan.h"

namespace knarr::netns {

// Up, with its MTU (0: as it is) and MAC address.
void bring_up(Namespace& container, const LinkInfo& inside, const Interface& wanted, std::uint32_t mtu,
              std::string_view act);

// Its addresses and no others, its routes; routes through it that somebody in the container added stay.
// Without IPv6 in the container that of IPv4 alone.
void apply_layer_three(Namespace& container, const LinkInfo& inside, const Interface& wanted,
                       std::string_view act);

}  // namespace knarr::netns
