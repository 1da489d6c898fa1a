// SPDX-License-Identifier: Apache-2.0
#include "engine/network/plan_network.h"

#include <algorithm>

#include "engine/network/network_store.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "storage/meta/object_name.h"

namespace knarr::engine {

namespace {

using netns::Family;
using netns::IpAddress;
using netns::Subnet;

// --- which addresses are in use ---

// The words for what holds a part of `wanted`; empty when nothing does.
std::string user_of(const Subnet& wanted, const NetworkSurroundings& there) {
  for (const Network& network : there.networks) {
    for (const NetworkSubnet& used : network.subnets) {
      if (netns::overlap(wanted, used.subnet)) return concat("network ", network.name);
    }
  }
  for (const Subnet& route : there.host_routes) {
    if (netns::overlap(wanted, route)) return concat("the host's route ", netns::render_subnet(route));
  }
  return {};
}

// The first /24 of the pools that nobody uses. What is below is the default network's.
Subnet free_v4_subnet(const NetworkSurroundings& there) {
  const IpAddress last = *netns::parse_ip("10.255.255.0");
  Subnet candidate = *netns::parse_subnet("10.89.0.0/24");
  while (!user_of(candidate, there).empty()) {
    if (candidate.address == last)
      throw Error("could not find a free subnet: all of 10.89.0.0 to 10.255.255.255 is in use");
    candidate.address = *netns::advance(candidate.address, 256);
  }
  return candidate;
}

// A unique local /64 (RFC 4193): random, so that networks of two machines can be joined one day.
Subnet free_v6_subnet(const NetworkSurroundings& there) {
  Subnet candidate{.address = {.family = Family::v6}, .prefix = 64};
  candidate.address.bytes[0] = 0xfd;
  std::copy(there.random.begin(), there.random.end(), candidate.address.bytes.begin() + 1);
  for (int attempts = 1 << 16; !user_of(candidate, there).empty(); --attempts) {
    if (attempts == 0) throw Error(concat("no free subnet near ", netns::render_subnet(candidate)));
    if (++candidate.address.bytes[7] == 0) ++candidate.address.bytes[6];
  }
  return candidate;
}

// --- subnets ---

// Room for the network's own address, a gateway and a container.
constexpr unsigned min_host_bits = 2;

NetworkSubnet plan_subnet(const std::string& text, const NetworkSurroundings& there) {
  const auto parsed = netns::parse_subnet(text);
  if (!parsed) fail_flag("subnet", text, "expected a subnet as 10.90.0.0/24 or fd00:1::/64");
  const Subnet subnet = netns::network_of(*parsed);
  if (subnet.prefix + min_host_bits > subnet.address.bits())
    fail_flag("subnet", text, "too small for a gateway and a container");
  if (netns::is_unspecified(subnet.address) || netns::is_loopback(subnet.address))
    fail_flag("subnet", text, "not a network's address");
  if (const std::string user = user_of(subnet, there); !user.empty())
    throw Conflict(concat("subnet ", netns::render_subnet(subnet), " is already used by ", user));
  return {.subnet = subnet, .gateway = std::nullopt, .range = {}};
}

std::vector<NetworkSubnet> plan_subnets(const NetworkRequest& request, const NetworkSurroundings& there) {
  std::vector<NetworkSubnet> subnets;
  for (const std::string& text : request.subnets) {
    NetworkSubnet subnet = plan_subnet(text, there);
    for (const NetworkSubnet& other : subnets) {
      if (netns::overlap(other.subnet, subnet.subnet))
        throw Conflict(concat("subnet ", text, " overlaps subnet ", netns::render_subnet(other.subnet)));
    }
    subnets.push_back(std::move(subnet));
  }
  return subnets;
}

bool has_family(const std::vector<NetworkSubnet>& subnets, Family family) {
  return std::any_of(subnets.begin(), subnets.end(),
                     [family](const NetworkSubnet& one) { return one.subnet.address.family == family; });
}

// Those that nobody named: both families, unless the user chose one. --ipv6 itself asks for both.
void add_free_subnets(const NetworkRequest& request, const NetworkSurroundings& there,
                      std::vector<NetworkSubnet>& subnets) {
  const bool none = subnets.empty();
  const bool asked = request.ipv6.value_or(false);
  if (!has_family(subnets, Family::v4) && (none || asked))
    subnets.push_back({.subnet = free_v4_subnet(there), .gateway = std::nullopt, .range = {}});
  if (!has_family(subnets, Family::v6) && (asked || (none && request.ipv6.value_or(true))))
    subnets.push_back({.subnet = free_v6_subnet(there), .gateway = std::nullopt, .range = {}});
}

NetworkSubnet* subnet_of(std::vector<NetworkSubnet>& subnets, const IpAddress& address) {
  for (NetworkSubnet& one : subnets) {
    if (netns::contains(one.subnet, address)) return &one;
  }
  return nullptr;
}

[[noreturn]] void fail_outside(std::string_view what, const std::string& text,
                               const std::vector<NetworkSubnet>& subnets) {
  std::string all;
  for (const NetworkSubnet& one : subnets) all += concat(" ", netns::render_subnet(one.subnet));
  throw InvalidArgument(concat(what, " ", text, " not in subnet", all));
}

void plan_gateway(const std::string& text, std::vector<NetworkSubnet>& subnets) {
  const auto address = netns::parse_ip(text);
  if (!address) fail_flag("gateway", text, "not an IP address");
  NetworkSubnet* const subnet = subnet_of(subnets, *address);
  if (subnet == nullptr) fail_outside("gateway", text, subnets);
  if (subnet->gateway) fail_flag("gateway", text, "its subnet has one already");
  const bool broadcast = address->family == Family::v4 && *address == netns::last_of(subnet->subnet);
  if (*address == subnet->subnet.address || broadcast)
    fail_flag("gateway", text, "the first and the last address of a subnet belong to nobody");
  subnet->gateway = *address;
}

// "10.90.0.128/25" or "10.90.0.10-10.90.0.20".
LeaseRange parse_range(const std::string& text) {
  if (const auto ends = split_once(text, '-')) {
    const auto start = netns::parse_ip(ends->first);
    const auto end = netns::parse_ip(ends->second);
    if (!start || !end || start->family != end->family || *end < *start)
      fail_flag("ip-range", text, "expected START-END, two IP addresses in order");
    return {.start = start, .end = end};
  }
  const auto range = netns::parse_subnet(text);
  if (!range) fail_flag("ip-range", text, "expected a subnet, or START-END");
  const Subnet network = netns::network_of(*range);
  const bool single = network.prefix == network.address.bits();
  return {.start = single ? network.address : netns::advance(network.address, 1),
          .end = netns::last_of(network)};
}

void plan_range(const std::string& text, std::vector<NetworkSubnet>& subnets) {
  const LeaseRange range = parse_range(text);
  NetworkSubnet* const subnet = subnet_of(subnets, *range.start);
  if (subnet == nullptr || !netns::contains(subnet->subnet, *range.end))
    fail_outside("ip range", text, subnets);
  if (subnet->range != LeaseRange{}) fail_flag("ip-range", text, "its subnet has one already");
  subnet->range = range;
}

void plan_addresses(const NetworkRequest& request, const NetworkSurroundings& there, Network& network) {
  if (request.subnets.empty() && (!request.gateways.empty() || !request.ip_ranges.empty()))
    throw InvalidArgument("cannot set gateway or range without subnet");
  network.subnets = plan_subnets(request, there);
  if (network.ipam_driver == "none") {
    if (!network.subnets.empty()) throw InvalidArgument("none ipam driver is set but subnets are given");
    return;
  }
  add_free_subnets(request, there, network.subnets);
  network.ipv6 = has_family(network.subnets, Family::v6);
  for (const std::string& text : request.gateways) plan_gateway(text, network.subnets);
  for (const std::string& text : request.ip_ranges) plan_range(text, network.subnets);
  // The bridge has an address without a way out, too: names are asked there.
  for (NetworkSubnet& subnet : network.subnets) {
    if (!subnet.gateway && !(network.internal && !network.dns))
      subnet.gateway = netns::advance(subnet.subnet.address, 1);
  }
}

// "DESTINATION,GATEWAY[,METRIC]"
NetworkRoute parse_route(const std::string& text) {
  const std::vector<std::string> parts = split(text, ',');
  if (parts.size() < 2 || parts.size() > 3) fail_flag("route", text, "expected DESTINATION,GATEWAY[,METRIC]");
  const auto destination = netns::parse_subnet(parts[0]);
  if (!destination) fail_flag("route", text, concat("\"", parts[0], "\" is no subnet"));
  const auto gateway = netns::parse_ip(parts[1]);
  if (!gateway) fail_flag("route", text, concat("\"", parts[1], "\" is no IP address"));
  if (gateway->family != destination->address.family)
    fail_flag("route", text, "destination and gateway are of different families");
  NetworkRoute route{.destination = netns::network_of(*destination), .gateway = *gateway, .metric = {}};
  if (route.destination != *destination) fail_flag("route", text, "the destination has host bits set");
  if (parts.size() == 3) {
    const auto metric = parse_unsigned(parts[2], UINT32_MAX);
    if (!metric) fail_flag("route", text, concat("invalid metric \"", parts[2], "\""));
    route.metric = static_cast<std::uint32_t>(*metric);
  }
  return route;
}

void plan_routes(const NetworkRequest& request, Network& network) {
  for (const std::string& text : request.routes) {
    NetworkRoute route = parse_route(text);
    if (subnet_of(network.subnets, route.gateway) == nullptr)
      fail_outside("route gateway", text, network.subnets);
    network.routes.push_back(route);
  }
}

// --- names ---

bool has_network(const NetworkSurroundings& there, const std::string& name) {
  return std::any_of(there.networks.begin(), there.networks.end(),
                     [&](const Network& network) { return network.name == name; });
}

bool has_interface(const NetworkSurroundings& there, const std::string& name) {
  const auto& host = there.host_interfaces;
  return std::find(host.begin(), host.end(), name) != host.end() ||
         std::any_of(there.networks.begin(), there.networks.end(),
                     [&](const Network& network) { return network.interface == name; });
}

// A network without a name is called after its interface, so both have to be free.
std::string free_interface(const NetworkSurroundings& there) {
  for (unsigned number = 1;; ++number) {
    std::string name = concat("podman", number);
    if (!has_interface(there, name) && !has_network(there, name)) return name;
  }
}

std::string plan_interface(const std::string& wanted, const NetworkSurroundings& there) {
  if (wanted.empty()) return free_interface(there);
  if (!is_interface_name(wanted))
    fail_flag("interface-name", wanted,
              "names of interfaces match [a-zA-Z0-9][a-zA-Z0-9_.-]* and have at most 15 bytes");
  if (has_interface(there, wanted)) throw Conflict(concat("bridge name ", wanted, " already in use"));
  return wanted;
}

void check_name(const std::string& name, const NetworkSurroundings& there) {
  if (name.empty()) return;
  if (!storage::is_object_name(name))
    throw InvalidArgument(concat("network name ", name,
                                 " invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"));
  for (const std::string_view mode :
       {"none", "host", "bridge", "private", "default", "pasta", "slirp4netns", "container", "ns"}) {
    if (name == mode)
      throw InvalidArgument(concat("cannot create network with name \"", name, "\": it is a network mode"));
  }
  if (has_network(there, name))
    throw Conflict(concat("network name ", name, " already used: network already exists"));
}

// --- driver and options ---

void check_driver(const std::string& driver, const NetworkSurroundings& there) {
  if (driver == "bridge") return;
  if (driver != "macvlan" && driver != "ipvlan")
    throw InvalidArgument(concat("unsupported driver ", driver, ": invalid argument"));
  throw Unsupported(concat("network driver ", driver, " is not supported",
                           there.rootful ? " yet" : ": an ordinary user cannot reach the host's interfaces"));
}

std::string plan_ipam_driver(const NetworkRequest& request) {
  const std::string& driver = request.ipam_driver;
  if (driver.empty() || driver == "default" || driver == "host-local") return "host-local";
  if (driver == "none") return driver;
  if (driver == "dhcp") throw Unsupported("ipam driver dhcp is not supported");
  throw InvalidArgument(concat("unsupported ipam driver ", driver));
}

constexpr std::uint64_t min_v4_mtu = 68, min_v6_mtu = 1280;  // RFC 791, RFC 8200

struct OptionName {
  std::string_view name, means;
};
constexpr OptionName docker_options[] = {{"com.docker.network.driver.mtu", "mtu"}};

std::string podman_name(const std::string& name) {
  for (const OptionName& option : docker_options) {
    if (name == option.name) return std::string(option.means);
  }
  return name;
}

void require_number(const std::string& name, const std::string& value, std::uint64_t min, std::uint64_t max) {
  const auto number = parse_unsigned(value, max);
  if (!number || *number < min)
    throw InvalidArgument(concat("invalid value \"", value, "\" of network option ", name,
                                 ": expected a number from ", min, " to ", max));
}

std::string checked_value(const std::string& name, const std::string& value) {
  if (name == "mtu") {
    require_number(name, value, min_v4_mtu, 65535);
  } else if (name == "metric") {
    require_number(name, value, 0, UINT32_MAX);
  } else if (name == "isolate" && value != "strict") {
    if (!parse_bool(value))
      throw InvalidArgument(
          concat("invalid value \"", value, "\" of network option isolate: expected true, false or strict"));
    return *parse_bool(value) ? "true" : "false";
  } else if (name == "no_default_route") {
    if (!parse_bool(value))
      throw InvalidArgument(
          concat("invalid value \"", value, "\" of network option no_default_route: expected true or false"));
    return *parse_bool(value) ? "true" : "false";
  }
  return value;
}

std::map<std::string, std::string> plan_labels(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const auto parts = split_once(text, '=');
    const std::string name = parts ? parts->first : text;
    if (name.empty()) fail_flag("label", text, "a label needs a name");
    labels[name] = parts ? parts->second : "";
  }
  return labels;
}

// The kernel takes IPv6 from an interface whose MTU is too small for it.
void check_mtu(const Network& network) {
  const std::string* const mtu = find_option(network, "mtu");
  if (mtu != nullptr && network.ipv6) require_number("mtu", *mtu, min_v6_mtu, 65535);
}

IpAddress parse_dns_server(std::string_view flag, const std::string& text) {
  const auto address = netns::parse_ip(text);
  if (!address) fail_flag(flag, text, "not an IP address");
  return *address;
}

void plan_dns(const NetworkRequest& request, Network& network) {
  network.dns = !request.disable_dns && network.ipam_driver != "none";
  for (const std::string& text : request.dns_servers)
    network.dns_servers.push_back(parse_dns_server("dns", text));
  if (!network.dns && !network.dns_servers.empty())
    throw InvalidArgument("cannot set --dns for a network without DNS (--disable-dns, --ipam-driver none)");
}

}  // namespace

std::map<std::string, std::string> plan_network_options(const std::vector<std::string>& options,
                                                        const std::string& driver) {
  std::map<std::string, std::string> planned;
  for (const std::string& text : options) {
    const auto parts = split_once(text, '=');
    if (!parts) fail_flag("opt", text, "expected NAME=VALUE");
    const std::string name = podman_name(parts->first);
    if (name == "vlan" || name == "vrf" || name == "mode")
      throw Unsupported(concat("network option ", name, " is not supported yet"));
    if (name != "mtu" && name != "isolate" && name != "metric" && name != "no_default_route")
      throw InvalidArgument(concat("unsupported ", driver, " network option ", parts->first));
    planned[name] = checked_value(name, parts->second);
  }
  return planned;
}

Network plan_network(const NetworkRequest& request, const NetworkSurroundings& there) {
  check_driver(request.driver, there);
  check_name(request.name, there);
  Network network;
  network.driver = request.driver;
  network.id = there.id;
  network.created = there.created;
  network.internal = request.internal;
  network.ipam_driver = plan_ipam_driver(request);
  network.labels = plan_labels(request.labels);
  network.options = plan_network_options(request.options, request.driver);
  plan_dns(request, network);
  network.interface = plan_interface(request.interface, there);
  network.name = request.name.empty() ? network.interface : request.name;
  check_name(network.name, there);
  plan_addresses(request, there, network);
  check_mtu(network);
  plan_routes(request, network);
  return network;
}

void update_dns_servers(Network& network, const std::vector<std::string>& add,
                        const std::vector<std::string>& drop) {
  if (!network.dns) throw InvalidArgument(concat("network ", network.name, " has no DNS"));
  std::vector<IpAddress>& servers = network.dns_servers;
  for (const std::string& text : drop) {
    if (std::erase(servers, parse_dns_server("dns-drop", text)) == 0)
      throw NotFound(concat("network ", network.name, " has no DNS server ", text));
  }
  for (const std::string& text : add) {
    const IpAddress address = parse_dns_server("dns-add", text);
    if (std::find(servers.begin(), servers.end(), address) == servers.end()) servers.push_back(address);
  }
}

}  // namespace knarr::engine
