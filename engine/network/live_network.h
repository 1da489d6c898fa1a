// SPDX-License-Identifier: Apache-2.0
// What the DNS server and a repair need of a network's definition: a few lines in its run directory, since
// they have neither JSON nor the definitions' place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/network/network.h"
#include "netns/network_plan.h"

namespace knarr::engine {

struct LiveNetwork {
  std::string bridge;
  std::vector<netns::Subnet> subnets;      // without host bits
  std::vector<netns::IpAddress> gateways;  // where names are asked
  bool dns = false;
  bool internal = false;  // no way out, and nothing is asked outside
  netns::Isolation isolation = netns::Isolation::isolated;
  std::vector<netns::IpAddress> forward;  // asked instead of the host's resolvers
  std::optional<netns::IpAddress> host;   // host.containers.internal
  bool operator==(const LiveNetwork&) const = default;
};

LiveNetwork describe_live(const Network& network, const std::optional<netns::IpAddress>& host);
std::string render_live_network(const LiveNetwork& network);
std::optional<LiveNetwork> parse_live_network(std::string_view text);

void write_live_network(const std::string& run_root, const Network& network,
                        const std::optional<netns::IpAddress>& host);
// nullopt when no container was on it since the boot.
std::optional<LiveNetwork> read_live_network(const std::string& run_root, const std::string& network);

}  // namespace knarr::engine
