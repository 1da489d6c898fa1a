// SPDX-License-Identifier: Apache-2.0
// What the host's network has already: subnets that a new network must not hide, names that are taken.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace knarr::engine {

// Of /proc/net/route and /proc/net/ipv6_route: destinations of routes, without default routes, single hosts,
// link-local and multicast ones.
std::vector<netns::Subnet> parse_v4_routes(std::string_view table);
std::vector<netns::Subnet> parse_v6_routes(std::string_view table);

// Of the namespace this process is in.
std::vector<netns::Subnet> read_host_routes();
std::vector<std::string> list_host_interfaces();

}  // namespace knarr::engine
