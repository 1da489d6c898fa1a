// SPDX-License-Identifier: Apache-2.0
// What a running container has of networks: run_directory/network, lines of text so that the monitor, which
// gives it all back at the exit, needs no JSON. Written by the command that starts the container before it
// runs, by connect and disconnect afterwards; replaced by a rename.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/network/network.h"
#include "engine/network/port_mapping.h"

namespace knarr::engine {

constexpr const char* network_record_name = "network";

// One attachment as it was made.
struct AttachedNetwork {
  std::string network;  // name
  std::string network_id;
  std::string bridge;
  std::string interface;       // in the container
  std::string host_interface;  // the bridge's end
  netns::MacAddress mac{};
  std::vector<netns::Subnet> addresses;    // host address and the network's prefix
  std::vector<netns::IpAddress> gateways;  // the bridge's own; names are asked there
  std::vector<NetworkRoute> routes;        // each with a metric; default routes among them
  bool dns = false;                        // whether names can be asked there
  std::vector<std::string> names;          // what it answers to there: name, short id, aliases
  bool operator==(const AttachedNetwork&) const = default;
};

struct NetworkRunRecord {
  std::vector<AttachedNetwork> networks;
  std::vector<PortMapping> ports;  // with the host's ports as they were bound
  // --dns: whom the DNS server asks for this container instead of the host's resolvers.
  std::vector<netns::IpAddress> dns_servers;
  bool operator==(const NetworkRunRecord&) const = default;
};

// The run directory's file; nullopt when it is missing or cannot be understood.
std::optional<NetworkRunRecord> read_network_record(const std::string& run_directory);
void write_network_record(const std::string& run_directory, const NetworkRunRecord& record);

std::string render_network_record(const NetworkRunRecord& record);
// nullopt when it cannot be understood.
std::optional<NetworkRunRecord> parse_network_record(std::string_view text);

}  // namespace knarr::engine
