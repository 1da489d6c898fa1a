// SPDX-License-Identifier: Apache-2.0
// A network's definition, as podman's network files have it (netavark's JSON), and what a container asks of
// one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/network_plan.h"

namespace knarr::engine {

struct LeaseRange {
  std::optional<netns::IpAddress> start, end;  // both included
  bool operator==(const LeaseRange&) const = default;
};

struct NetworkSubnet {
  netns::Subnet subnet;                     // without host bits
  std::optional<netns::IpAddress> gateway;  // none only where there is no way out
  LeaseRange range;
  bool operator==(const NetworkSubnet&) const = default;
};

struct NetworkRoute {
  netns::Subnet destination;
  netns::IpAddress gateway;
  std::optional<std::uint32_t> metric;
  bool operator==(const NetworkRoute&) const = default;
};

struct Network {
  std::string name;
  std::string id;                 // 64 hexadecimal digits
  std::string driver = "bridge";  // bridge, macvlan
  std::string interface;          // the bridge, or macvlan's parent
  std::string created;            // RFC 3339 with nanoseconds
  std::vector<NetworkSubnet> subnets;
  std::vector<NetworkRoute> routes;
  bool ipv6 = false;
  bool internal = false;
  bool dns = false;
  std::vector<netns::IpAddress> dns_servers;  // asked instead of the host's
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;  // mtu, isolate, metric, no_default_route, vlan, ...
  std::string ipam_driver = "host-local";      // host-local, none, dhcp
  bool operator==(const Network&) const = default;
};

// --network NAME[:ip=..,ip6=..,mac=..,alias=..,interface_name=..,host_interface_name=..], `network connect`.
struct NetworkAttachment {
  std::string network;  // its name
  std::vector<std::string> aliases;
  std::vector<netns::IpAddress> addresses;  // wished for: one per family at most
  std::optional<netns::MacAddress> mac;
  std::string interface;       // in the container; empty: the first free ethN
  std::string host_interface;  // the bridge's end; empty: made from the container's id
  bool operator==(const NetworkAttachment&) const = default;
};

// What the kernel takes (15 bytes) and what is safe as an argument and in a path.
bool is_interface_name(std::string_view name);
// An option's value; nullptr when it is not there.
const std::string* find_option(const Network& network, const std::string& name);
// The option `isolate`: isolated unless it says otherwise, as users of docker expect.
netns::Isolation isolation_of(const Network& network);

}  // namespace knarr::engine
