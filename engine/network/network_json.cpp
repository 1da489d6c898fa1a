// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network_json.h"

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "storage/meta/json_reader.h"
#include "storage/meta/object_name.h"

namespace knarr::engine {

namespace {

using netns::IpAddress;
using storage::Json;
using storage::JsonReader;

// --- writing ---

Json to_json(const LeaseRange& range) {
  Json json = Json::object();
  if (range.start) json["start_ip"] = netns::render_ip(*range.start);
  if (range.end) json["end_ip"] = netns::render_ip(*range.end);
  return json;
}

Json to_json(const NetworkSubnet& subnet) {
  Json json = {{"subnet", netns::render_subnet(subnet.subnet)}};
  if (subnet.gateway) json["gateway"] = netns::render_ip(*subnet.gateway);
  if (subnet.range != LeaseRange{}) json["lease_range"] = to_json(subnet.range);
  return json;
}

Json to_json(const NetworkRoute& route) {
  Json json = {{"destination", netns::render_subnet(route.destination)},
               {"gateway", netns::render_ip(route.gateway)}};
  if (route.metric) json["metric"] = *route.metric;
  return json;
}

Json to_json(const IpAddress& address) {
  return netns::render_ip(address);
}

template <typename Item>
void set_list(Json& json, const char* key, const std::vector<Item>& items) {
  if (items.empty()) return;
  json[key] = Json::array();
  for (const Item& item : items) json[key].push_back(to_json(item));
}

// --- reading ---

IpAddress read_ip(const JsonReader& reader) {
  const std::string text = reader.as_string();
  const auto address = netns::parse_ip(text);
  if (!address) reader.fail(concat("\"", text, "\" is no IP address"));
  // Go's programs write v4 addresses as mapped ones at times.
  return netns::unmap(*address);
}

std::optional<IpAddress> find_ip(const JsonReader& reader, const char* key) {
  const auto member = reader.find(key);
  if (!member || member->as_string().empty()) return std::nullopt;
  return read_ip(*member);
}

netns::Subnet read_subnet(const JsonReader& reader) {
  const std::string text = reader.as_string();
  const auto subnet = netns::parse_subnet(text);
  if (!subnet) reader.fail(concat("\"", text, "\" is no subnet"));
  return netns::network_of(*subnet);
}

void require_inside(const JsonReader& reader, const netns::Subnet& subnet,
                    const std::optional<IpAddress>& address) {
  if (address && !netns::contains(subnet, *address))
    reader.fail(concat(netns::render_ip(*address), " is not in ", netns::render_subnet(subnet)));
}

NetworkSubnet read_network_subnet(const JsonReader& reader) {
  NetworkSubnet subnet;
  subnet.subnet = read_subnet(reader.get("subnet"));
  subnet.gateway = find_ip(reader, "gateway");
  require_inside(reader, subnet.subnet, subnet.gateway);
  if (const auto range = reader.find("lease_range")) {
    subnet.range = {.start = find_ip(*range, "start_ip"), .end = find_ip(*range, "end_ip")};
    require_inside(*range, subnet.subnet, subnet.range.start);
    require_inside(*range, subnet.subnet, subnet.range.end);
    if (subnet.range.start && subnet.range.end && *subnet.range.end < *subnet.range.start)
      range->fail("it ends before it starts");
  }
  return subnet;
}

NetworkRoute read_route(const JsonReader& reader) {
  NetworkRoute route;
  route.destination = read_subnet(reader.get("destination"));
  route.gateway = read_ip(reader.get("gateway"));
  if (route.gateway.family != route.destination.address.family)
    reader.fail("destination and gateway are of different families");
  if (const auto metric = reader.find("metric")) {
    const std::uint64_t number = metric->as_unsigned();
    if (number > UINT32_MAX) metric->fail("too large");
    route.metric = static_cast<std::uint32_t>(number);
  }
  return route;
}

// It becomes a path, and an interface's name an argument for the kernel.
void require_names(const JsonReader& reader, const Network& network) {
  if (!storage::is_object_name(network.name))
    reader.get("name").fail(concat("\"", network.name, "\" is no name of a network"));
  if (network.id.empty() || network.id.find_first_not_of("0123456789abcdef") != std::string::npos)
    reader.get("id").fail("not hexadecimal digits");
  if (!network.interface.empty() && !is_interface_name(network.interface))
    reader.get("network_interface").fail(concat("\"", network.interface, "\" is no name of an interface"));
}

}  // namespace

std::string render_network(const Network& network) {
  Json json = {{"name", network.name},
               {"id", network.id},
               {"driver", network.driver},
               {"network_interface", network.interface},
               {"created", network.created},
               {"ipv6_enabled", network.ipv6},
               {"internal", network.internal},
               {"dns_enabled", network.dns},
               {"ipam_options", {{"driver", network.ipam_driver}}}};
  set_list(json, "subnets", network.subnets);
  set_list(json, "routes", network.routes);
  set_list(json, "network_dns_servers", network.dns_servers);
  if (!network.labels.empty()) json["labels"] = network.labels;
  if (!network.options.empty()) json["options"] = network.options;
  return storage::render_json(json) + "\n";
}

Network parse_network(std::string_view text) {
  const Json document = storage::parse_json(text, "network", 1u << 20);
  const JsonReader reader(document, "network");
  Network network;
  network.name = reader.get("name").as_string();
  network.id = reader.get("id").as_string();
  network.driver = reader.read_string("driver", "bridge");
  network.interface = reader.read_string("network_interface");
  network.created = reader.read_string("created");
  for (const JsonReader& subnet : reader.read_array("subnets"))
    network.subnets.push_back(read_network_subnet(subnet));
  for (const JsonReader& route : reader.read_array("routes")) network.routes.push_back(read_route(route));
  network.ipv6 = reader.read_bool("ipv6_enabled");
  network.internal = reader.read_bool("internal");
  network.dns = reader.read_bool("dns_enabled");
  for (const JsonReader& server : reader.read_array("network_dns_servers"))
    network.dns_servers.push_back(read_ip(server));
  network.labels = reader.read_string_map("labels");
  network.options = reader.read_string_map("options");
  if (const auto ipam = reader.find("ipam_options"))
    network.ipam_driver = ipam->read_string("driver", network.ipam_driver);
  require_names(reader, network);
  return network;
}

}  // namespace knarr::engine
