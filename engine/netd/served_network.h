// SPDX-License-Identifier: Apache-2.0
// What netd knows of networks: the files in RUN/net/networks/NETWORK. It reads them at each query, so nothing
// can be stale; a file whose owner is dead is not there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace knarr::engine {

constexpr const char* networks_name = "networks";
constexpr const char* served_network_name = "network";

// RUN/net/networks/NETWORK/network: lines "key value", one per value.
struct ServedNetwork {
  std::string bridge;
  std::vector<netns::Subnet> subnets;      // without host bits
  std::vector<netns::IpAddress> gateways;  // where names are served
  std::vector<netns::IpAddress> forward;   // asked instead of the host's resolvers
  std::optional<netns::IpAddress> host;    // host.containers.internal
  bool dns = false;
  bool internal = false;  // nothing is asked outside
  bool operator==(const ServedNetwork&) const = default;
};

std::string render_served_network(const ServedNetwork& network);
// Lines that are not understood are left out.
ServedNetwork parse_served_network(std::string_view text);

}  // namespace knarr::engine
