// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/network_view.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "cli/commands/container_list.h"
#include "cli/commands/filter.h"
#include "cli/flags.h"
#include "cli/log.h"
#include "cli/quote.h"
#include "cli/table.h"
#include "cli/template/section.h"
#include "cli/text.h"
#include "engine/lifecycle.h"
#include "engine/network/live.h"
#include "engine/network/run_record.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using engine::Network;
using templates::Section;
using templates::Value;
using Test = std::function<bool(const Network&)>;

std::string ip_text(const std::optional<netns::IpAddress>& address) {
  return address ? netns::render_ip(*address) : "";
}

std::int64_t created_ns(const Network& network) {
  return engine::parse_rfc3339(network.created).value_or(0);
}

Value lease_range_value(const engine::LeaseRange& range) {
  return Section("LeaseRange")
      .set("StartIP", "start_ip", ip_text(range.start))
      .set("EndIP", "end_ip", ip_text(range.end));
}

Value subnet_value(const engine::NetworkSubnet& subnet) {
  Section section("Subnet");
  section.set("Subnet", "subnet", netns::render_subnet(subnet.subnet));
  if (subnet.gateway) {
    section.set("Gateway", "gateway", ip_text(subnet.gateway));
  } else {
    section.set_hidden("Gateway", "");
  }
  if (subnet.range != engine::LeaseRange{}) {
    section.set("LeaseRange", "lease_range", lease_range_value(subnet.range));
  } else {
    section.set_hidden("LeaseRange", Value());
  }
  return section;
}

Value route_value(const engine::NetworkRoute& route) {
  Section section("Route");
  section.set("Destination", "destination", netns::render_subnet(route.destination))
      .set("Gateway", "gateway", netns::render_ip(route.gateway));
  if (route.metric) section.set("Metric", "metric", *route.metric);
  return section;
}

// As podman does, empty lists are left out of documents.
template <typename Item, typename Render>
void set_list(Section& section, std::string_view go_name, std::string_view key,
              const std::vector<Item>& items, Render render) {
  Value list = Value::list();
  for (const Item& item : items) list.push_back(render(item));
  if (items.empty()) {
    section.set_hidden(go_name, list);
  } else {
    section.set(go_name, key, list);
  }
}

void set_map(Section& section, std::string_view go_name, std::string_view key,
             const std::map<std::string, std::string>& map) {
  if (map.empty()) {
    section.set_hidden(go_name, map);
  } else {
    section.set(go_name, key, map);
  }
}

Section network_section(const Network& network, const std::string& id) {
  Section section("Network");
  section.set("Name", "name", network.name)
      .set("ID", "id", id)
      .set("Driver", "driver", network.driver)
      .set("NetworkInterface", "network_interface", network.interface)
      .set("Created", "created", Value::time(created_ns(network)));
  set_list(section, "Subnets", "subnets", network.subnets, subnet_value);
  set_list(section, "Routes", "routes", network.routes, route_value);
  section.set("IPv6Enabled", "ipv6_enabled", network.ipv6)
      .set("Internal", "internal", network.internal)
      .set("DNSEnabled", "dns_enabled", network.dns);
  set_list(section, "NetworkDNSServers", "network_dns_servers", network.dns_servers,
           [](const netns::IpAddress& address) { return Value(netns::render_ip(address)); });
  set_map(section, "Options", "options", network.options);
  section.set("IPAMOptions", "ipam_options", Value::map().set("driver", network.ipam_driver));
  return section;
}

Value interface_value(const engine::AttachedNetwork& attached) {
  Value subnets = Value::list();
  for (const netns::Subnet& address : attached.addresses) {
    std::string gateway;
    for (const netns::IpAddress& one : attached.gateways) {
      if (netns::contains(address, one)) gateway = netns::render_ip(one);
    }
    subnets.push_back(Section("NetAddress")
                          .set("IPNet", "ipnet", netns::render_subnet(address))
                          .set("Gateway", "gateway", gateway));
  }
  const Value interface = Section("NetInterface")
                              .set("Subnets", "subnets", subnets)
                              .set("MacAddress", "mac_address", netns::render_mac(attached.mac));
  return Value::map().set(attached.interface, interface);
}

Value containers_value(const engine::Engine& engine, const Network& network) {
  Value containers = Value::map();
  for (const ListedContainer& container : list_running(engine)) {
    const std::string& id = container.summary.id;
    const auto record = engine::read_network_record(engine.run_directory(id));
    if (!record) continue;
    for (const engine::AttachedNetwork& attached : record->networks) {
      if (attached.network != network.name) continue;
      containers.set(id, Section("NetworkContainerInfo")
                             .set("Name", "name", container.summary.name)
                             .set("Interfaces", "interfaces", interface_value(attached)));
    }
  }
  return containers;
}

// --- filters ---

Test match_dangling(const engine::Engine& engine, const std::string& value) {
  const auto wanted = parse_boolean(value);
  if (!wanted) throw InvalidArgument(concat("invalid value ", quote_go(value), " for filter dangling"));
  return [users = containers_by_network(engine), wanted = *wanted](const Network& network) {
    return users.contains(network.name) != wanted;
  };
}

Test make_test(const engine::Engine& engine, const std::string& name, const std::string& value) {
  if (name == "dangling") return match_dangling(engine, value);
  if (name == "driver") return [value](const Network& network) { return network.driver == value; };
  if (name == "id") return [value](const Network& network) { return network.id.starts_with(value); };
  if (name == "name") {
    return [pattern = std::make_shared<Pattern>(value)](const Network& network) {
      return pattern->matches(network.name);
    };
  }
  if (name == "until") {
    return [time = parse_filter_time(value)](const Network& network) { return created_ns(network) < time; };
  }
  return [value, wanted = name == "label"](const Network& network) {
    return has_label(network.labels, value) == wanted;
  };
}

std::string names_of(const engine::Engine& engine, const std::vector<std::string>& ids) {
  std::vector<std::string> names;
  for (const std::string& id : ids) {
    const auto summary = find_summary(engine, id);
    names.push_back(summary ? summary->name : id.substr(0, 12));
  }
  return join(names, ", ");
}

void remove_users(const engine::Engine& engine, const std::string& network,
                  std::optional<int> timeout_seconds) {
  const auto by_network = containers_by_network(engine);
  const auto users = by_network.find(network);
  if (users == by_network.end()) return;
  for (const std::string& id : users->second)
    engine::remove(engine, id, {.force = true, .timeout_seconds = timeout_seconds});
}

}  // namespace

Value describe_network(const Network& network) {
  Section section = network_section(network, network.id);
  set_map(section, "Labels", "labels", network.labels);
  return section;
}

Value network_row(const Network& network, bool full_id) {
  std::vector<std::string> labels;
  for (const auto& [name, value] : network.labels) labels.push_back(concat(name, "=", value));
  return network_section(network, full_id ? network.id : short_id(network.id))
      .set_hidden("Labels", join(labels, ","));
}

Value inspect_network(const engine::Engine& engine, const Network& network) {
  Section section = network_section(network, network.id);
  set_map(section, "Labels", "labels", network.labels);
  section.set("Containers", "containers", containers_value(engine, network));
  return section;
}

std::map<std::string, std::vector<std::string>> containers_by_network(const engine::Engine& engine) {
  std::map<std::string, std::vector<std::string>> containers;
  for (const engine::Summary& summary : engine.summaries()) {
    if (summary.networks.empty()) continue;
    for (const std::string& name : split(summary.networks, ",")) containers[name].push_back(summary.id);
  }
  return containers;
}

std::vector<Network> list_healthy_networks(const engine::Engine& engine) {
  return engine.networks().list([](const Error& damage) { log_warning(damage.message()); });
}

std::vector<Network> filter_networks(const engine::Engine& engine, std::vector<Network> networks,
                                     const std::vector<std::string>& texts, std::string_view known) {
  for (const auto& [name, values] : parse_filters(texts, known)) {
    std::vector<Test> tests;
    for (const std::string& value : values) tests.push_back(make_test(engine, name, value));
    const bool all = name == "label" || name == "label!";
    std::erase_if(networks, [&](const Network& network) {
      const auto passes = [&](const Test& test) { return test(network); };
      return all ? !std::all_of(tests.begin(), tests.end(), passes)
                 : std::none_of(tests.begin(), tests.end(), passes);
    });
  }
  return networks;
}

void remove_network(const engine::Engine& engine, const std::string& name_or_id, bool force,
                    std::optional<int> timeout_seconds) {
  const engine::NetworkStore networks = engine.networks();
  const Network network = networks.get(name_or_id);
  if (network.name == engine::default_network_name) return networks.remove(network.name);  // refuses
  if (force) remove_users(engine, network.name, timeout_seconds);
  // Whoever makes a container holds this lock shared until its record names the network.
  const auto lock = networks.lock(sys::Lock::Mode::exclusive);
  const auto by_network = containers_by_network(engine);
  if (const auto users = by_network.find(network.name); users != by_network.end()) {
    Conflict error(concat(quote_go(network.name), " has associated containers with it (",
                          names_of(engine, users->second), "): network is being used"));
    error.set_hint("remove them first, or use --force");
    throw error;
  }
  networks.remove(network.name);
  engine::remove_live_network(engine, network);
}

std::vector<engine::PortMapping> current_ports(const engine::Engine& engine,
                                               const engine::ContainerConfig& config) {
  if (engine.is_running(config.id)) {
    if (const auto record = engine::read_network_record(engine.run_directory(config.id)))
      return record->ports;
  }
  return config.ports;
}

std::vector<engine::PortMapping> each_port(const std::vector<engine::PortMapping>& mappings) {
  std::vector<engine::PortMapping> ports;
  for (const engine::PortMapping& mapping : mappings) {
    for (std::uint16_t i = 0; i < mapping.count; ++i) {
      engine::PortMapping port = mapping;
      port.count = 1;
      port.container_port = static_cast<std::uint16_t>(mapping.container_port + i);
      if (mapping.host_port != 0) port.host_port = static_cast<std::uint16_t>(mapping.host_port + i);
      ports.push_back(port);
    }
  }
  return ports;
}

}  // namespace knarr::cli
