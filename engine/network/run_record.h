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
  std::vector<netns::IpAddress> gateways;  // default routes; empty on an internal network
  std::vector<std::string> names;          // what it answers to there: name, short id, aliases
  bool operator==(const AttachedNetwork&) const = default;
};

struct NetworkRunRecord {
  std::vector<AttachedNetwork> networks;
  std::vector<PortMapping> ports;  // with the host's ports as they were bound
  bool operator==(const NetworkRunRecord&) const = default;
};

std::string render_network_record(const NetworkRunRecord& record);
// nullopt when it cannot be understood.
std::optional<NetworkRunRecord> parse_network_record(std::string_view text);

}  // namespace knarr::engine
