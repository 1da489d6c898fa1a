// SPDX-License-Identifier: Apache-2.0
#include "engine/network/plan_attachments.h"

#include <algorithm>
#include <cstdio>

#include "engine/request/values.h"
#include "engine/seccomp/hash.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using netns::Family;
using netns::IpAddress;
using netns::Subnet;

constexpr std::uint32_t first_metric = 100;  // as podman's

// The same for the same container and network, so that a repair makes the same interfaces again.
std::uint64_t attachment_number(const ContainerConfig& config, const Network& network) {
  seccomp::Hash hash;
  hash.add(config.id);
  hash.add(network.id);
  return hash.value64();
}

netns::MacAddress made_mac(std::uint64_t number) {
  netns::MacAddress mac{0x02};  // locally administered, one interface's
  for (std::size_t i = 1; i < mac.size(); ++i) mac[i] = static_cast<std::uint8_t>(number >> (8 * (i - 1)));
  return mac;
}

bool is_taken(const std::string& interface, const ContainerConfig& config,
              const std::vector<AttachedNetwork>& others) {
  return std::any_of(others.begin(), others.end(),
                     [&](const AttachedNetwork& other) { return other.interface == interface; }) ||
         std::any_of(config.networks.begin(), config.networks.end(),
                     [&](const NetworkAttachment& wish) { return wish.interface == interface; });
}

std::string free_interface(const ContainerConfig& config, const std::vector<AttachedNetwork>& others) {
  for (unsigned number = 0;; ++number) {
    std::string name = concat("eth", number);
    if (!is_taken(name, config, others)) return name;
  }
}

bool is_default(const NetworkRoute& route, Family family) {
  return route.destination.prefix == 0 && route.destination.address.family == family;
}

bool has_default(const std::vector<AttachedNetwork>& others, Family family, std::uint32_t metric) {
  for (const AttachedNetwork& other : others) {
    for (const NetworkRoute& route : other.routes) {
      if (is_default(route, family) && route.metric == metric) return true;
    }
  }
  return false;
}

bool is_option_true(const Network& network, const std::string& name) {
  const std::string* const value = find_option(network, name);
  return value != nullptr && parse_bool(*value).value_or(false);
}

std::optional<std::uint32_t> number_option(const Network& network, const std::string& name) {
  const std::string* const value = find_option(network, name);
  if (value == nullptr) return std::nullopt;
  const auto number = parse_unsigned(*value, UINT32_MAX);
  if (!number)
    throw InvalidArgument(concat("network ", network.name, ": option ", name, " is no number: ", *value));
  return static_cast<std::uint32_t>(*number);
}

// The kernel takes one default route per metric and uses the lowest: networks keep their order, and when one
// is left the next one takes over.
NetworkRoute default_route(const Network& network, const IpAddress& gateway,
                           const std::vector<AttachedNetwork>& others) {
  std::uint32_t metric = number_option(network, "metric").value_or(first_metric);
  while (has_default(others, gateway.family, metric)) ++metric;
  return {.destination = {.address = {.family = gateway.family}, .prefix = 0},
          .gateway = gateway,
          .metric = metric};
}

std::vector<NetworkRoute> plan_routes(const Network& network, const std::vector<AttachedNetwork>& others) {
  std::vector<NetworkRoute> routes;
  const bool way_out = !network.internal && !is_option_true(network, "no_default_route");
  for (const NetworkSubnet& subnet : network.subnets) {
    const Family family = subnet.subnet.address.family;
    // Of two subnets of a family the first one's gateway will do: it is the same bridge.
    const bool first = std::none_of(routes.begin(), routes.end(), [family](const NetworkRoute& route) {
      return is_default(route, family);
    });
    if (way_out && first && subnet.gateway) routes.push_back(default_route(network, *subnet.gateway, others));
  }
  for (NetworkRoute route : network.routes) {
    if (!route.metric) route.metric = number_option(network, "metric").value_or(first_metric);
    routes.push_back(route);
  }
  return routes;
}

std::vector<std::string> plan_names(const ContainerConfig& config, const NetworkAttachment& wish) {
  std::vector<std::string> names = {config.name, config.id.substr(0, 12)};
  const auto add = [&names](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  add(config.hostname);
  for (const std::string& alias : wish.aliases) add(alias);
  return names;
}

void copy_name(char (&place)[netns::interface_name_size], const std::string& name) {
  if (name.empty() || name.size() >= sizeof place)
    throw InvalidArgument(concat("\"", name, "\" is no name of an interface"));
  std::copy(name.begin(), name.end(), place);
}

netns::Link lay_out_link(Arena& arena, const netns::Bridge* bridge, const AttachedNetwork& attached) {
  std::vector<netns::InterfaceAddress> addresses;
  for (const Subnet& address : attached.addresses) addresses.push_back({address.address, address.prefix});
  std::vector<netns::Route> routes;
  for (const NetworkRoute& route : attached.routes)
    routes.push_back({route.destination, route.gateway, route.metric.value_or(0)});
  const auto address_span = arena.span(addresses);
  const auto route_span = arena.span(routes);
  netns::Link link;
  link.bridge = bridge;
  if (!attached.host_interface.empty()) copy_name(link.host_name, attached.host_interface);
  copy_name(link.name, attached.interface);
  link.mac = attached.mac;
  link.addresses = address_span.data;
  link.address_count = static_cast<int>(address_span.size);
  link.routes = route_span.data;
  link.route_count = static_cast<int>(route_span.size);
  return link;
}

}  // namespace

void require_attachable(const Network& network) {
  if (network.driver != "bridge")
    throw Unsupported(concat("network ", network.name, ": driver ", network.driver, " is not supported yet"));
  if (network.ipam_driver != "host-local" && network.ipam_driver != "none" && !network.ipam_driver.empty())
    throw Unsupported(
        concat("network ", network.name, ": ipam driver ", network.ipam_driver, " is not supported"));
  if (network.interface.empty())
    throw InvalidArgument(concat("network ", network.name, ": its file names no network_interface"));
  for (const char* option : {"vlan", "vrf", "mode"}) {
    if (find_option(network, option) != nullptr)
      throw Unsupported(concat("network ", network.name, ": option ", option, " is not supported yet"));
  }
}

AttachedNetwork plan_attachment(const ContainerConfig& config, const Attachable& attachable,
                                const std::vector<AttachedNetwork>& others) {
  const Network& network = attachable.network;
  const NetworkAttachment& wish = attachable.wish;
  require_attachable(network);
  const std::uint64_t number = attachment_number(config, network);
  AttachedNetwork attached;
  attached.network = network.name;
  attached.network_id = network.id;
  attached.bridge = network.interface;
  attached.interface = wish.interface.empty() ? free_interface(config, others) : wish.interface;
  // Else the kernel's choice: a name of ours could still be that of the last run's, which the kernel takes a
  // while to delete.
  attached.host_interface = wish.host_interface;
  attached.mac = wish.mac.value_or(made_mac(number));
  attached.addresses = attachable.addresses;
  for (const NetworkSubnet& subnet : network.subnets) {
    if (subnet.gateway) attached.gateways.push_back(*subnet.gateway);
  }
  attached.routes = plan_routes(network, others);
  attached.dns = network.dns;
  if (network.dns) attached.names = plan_names(config, wish);
  return attached;
}

std::vector<AttachedNetwork> plan_attachments(const ContainerConfig& config,
                                              const std::vector<Attachable>& attachables) {
  std::vector<AttachedNetwork> attached;
  for (const Attachable& attachable : attachables)
    attached.push_back(plan_attachment(config, attachable, attached));
  return attached;
}

netns::Bridge* lay_out_bridge(Arena& arena, const Network& network, std::uint32_t default_mtu) {
  std::vector<netns::InterfaceAddress> addresses;
  for (const NetworkSubnet& subnet : network.subnets) {
    if (subnet.gateway) addresses.push_back({*subnet.gateway, subnet.subnet.prefix});
  }
  const auto span = arena.span(addresses);
  netns::Bridge bridge;
  copy_name(bridge.name, network.interface);
  bridge.mtu = number_option(network, "mtu").value_or(default_mtu);
  bridge.addresses = span.data;
  bridge.address_count = static_cast<int>(span.size);
  bridge.internal = network.internal;
  bridge.isolation = isolation_of(network);
  return arena.make(bridge);
}

init::Span<netns::Link> lay_out_links(Arena& arena, const std::vector<Network>& networks,
                                      const std::vector<AttachedNetwork>& attached,
                                      std::uint32_t default_mtu) {
  std::vector<netns::Link> links;
  for (std::size_t i = 0; i < attached.size(); ++i)
    links.push_back(lay_out_link(arena, lay_out_bridge(arena, networks.at(i), default_mtu), attached[i]));
  return arena.span(links);
}

}  // namespace knarr::engine
