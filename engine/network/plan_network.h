// SPDX-License-Identifier: Apache-2.0
// `network create`: from what the user says and what is there already to a network's definition. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/network/network.h"

namespace knarr::engine {

// In the user's words; a vector holds every use of its flag.
struct NetworkRequest {
  std::string name;  // empty: that of its interface
  std::string driver = "bridge";
  std::string interface;  // --interface-name
  std::vector<std::string> subnets, gateways, ip_ranges, routes, dns_servers;
  std::vector<std::string> labels, options;  // NAME=VALUE
  bool internal = false;
  bool disable_dns = false;
  std::optional<bool> ipv6;  // not given: with the subnets chosen here
  std::string ipam_driver;   // empty: the driver's own
};

struct NetworkSurroundings {
  std::vector<Network> networks;             // all that exist
  std::vector<netns::Subnet> host_routes;    // without default routes
  std::vector<std::string> host_interfaces;  // where bridges are the host's own
  bool rootful = false;
  std::string id;
  std::string created;
  std::array<std::uint8_t, 7> random{};  // of the unique local addresses
};

// Throws InvalidArgument or Unsupported naming the value, Conflict for what is in use, Error when no subnet
// is free.
Network plan_network(const NetworkRequest& request, const NetworkSurroundings& there);

// Names, values and the driver of the options, in podman's and docker's spelling, here in podman's. Throws
// for what is unknown.
std::map<std::string, std::string> plan_network_options(const std::vector<std::string>& options,
                                                        const std::string& driver);

// --dns-add and --dns-drop of `network update`.
void update_dns_servers(Network& network, const std::vector<std::string>& add,
                        const std::vector<std::string>& drop);

}  // namespace knarr::engine
