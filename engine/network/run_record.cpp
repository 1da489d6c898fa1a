// SPDX-License-Identifier: Apache-2.0
#include "engine/network/run_record.h"

#include <fcntl.h>

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

// --- writing: "key value" lines, one value each; "network" begins the next attachment ---

void add_line(std::string& text, std::string_view key, std::string_view value) {
  if (!value.empty()) text += concat(key, " ", value, "\n");
}

void render_attached(std::string& text, const AttachedNetwork& attached) {
  add_line(text, "network", attached.network);
  add_line(text, "id", attached.network_id);
  add_line(text, "bridge", attached.bridge);
  add_line(text, "interface", attached.interface);
  add_line(text, "host_interface", attached.host_interface);
  add_line(text, "mac", netns::render_mac(attached.mac));
  add_line(text, "dns", attached.dns ? "yes" : "no");
  for (const netns::Subnet& address : attached.addresses)
    add_line(text, "address", netns::render_subnet(address));
  for (const netns::IpAddress& gateway : attached.gateways)
    add_line(text, "gateway", netns::render_ip(gateway));
  for (const NetworkRoute& route : attached.routes) {
    add_line(text, "route",
             concat(netns::render_subnet(route.destination), " ", netns::render_ip(route.gateway), " ",
                    route.metric.value_or(0)));
  }
  for (const std::string& name : attached.names) add_line(text, "name", name);
}

std::string render_mapping(const PortMapping& mapping) {
  return concat(protocol_name(mapping.protocol), " ",
                mapping.host_address ? netns::render_ip(*mapping.host_address) : "*", " ", mapping.host_port,
                " ", mapping.container_port, " ", mapping.count);
}

// --- reading ---

template <typename Value>
bool store(std::vector<Value>& list, const std::optional<Value>& value) {
  if (value) list.push_back(*value);
  return value.has_value();
}

std::optional<NetworkRoute> parse_route(std::string_view text) {
  const std::vector<std::string> words = split(text, ' ');
  if (words.size() != 3) return std::nullopt;
  const auto destination = netns::parse_subnet(words[0]);
  const auto gateway = netns::parse_ip(words[1]);
  const auto metric = parse_unsigned(words[2], UINT32_MAX);
  if (!destination || !gateway || !metric) return std::nullopt;
  return NetworkRoute{
      .destination = *destination, .gateway = *gateway, .metric = static_cast<std::uint32_t>(*metric)};
}

std::optional<PortMapping> parse_mapping(std::string_view text) {
  const std::vector<std::string> words = split(text, ' ');
  if (words.size() != 5 || (words[0] != "tcp" && words[0] != "udp")) return std::nullopt;
  const auto host_address = words[1] == "*" ? std::nullopt : netns::parse_ip(words[1]);
  const auto host_port = parse_unsigned(words[2], UINT16_MAX);
  const auto container_port = parse_unsigned(words[3], UINT16_MAX);
  const auto count = parse_unsigned(words[4], UINT16_MAX);
  if (!host_port || !container_port || !count || (words[1] != "*" && !host_address)) return std::nullopt;
  return PortMapping{.host_address = host_address,
                     .host_port = static_cast<std::uint16_t>(*host_port),
                     .container_port = static_cast<std::uint16_t>(*container_port),
                     .count = static_cast<std::uint16_t>(*count),
                     .protocol = words[0] == "tcp" ? PortProtocol::tcp : PortProtocol::udp};
}

bool read_text_line(AttachedNetwork& attached, std::string_view key, const std::string& value) {
  if (key == "id") {
    attached.network_id = value;
  } else if (key == "bridge") {
    attached.bridge = value;
  } else if (key == "interface") {
    attached.interface = value;
  } else if (key == "host_interface") {
    attached.host_interface = value;
  } else if (key == "dns") {
    attached.dns = value == "yes";
  } else if (key == "name") {
    attached.names.push_back(value);
  }
  // What a later version adds is none of ours.
  return true;
}

bool read_attached_line(AttachedNetwork& attached, std::string_view key, const std::string& value) {
  if (key == "address") return store(attached.addresses, netns::parse_subnet(value));
  if (key == "gateway") return store(attached.gateways, netns::parse_ip(value));
  if (key == "route") return store(attached.routes, parse_route(value));
  if (key == "mac") {
    const auto mac = netns::parse_mac(value);
    if (mac) attached.mac = *mac;
    return mac.has_value();
  }
  return read_text_line(attached, key, value);
}

bool read_line(NetworkRunRecord& record, std::string_view key, const std::string& value) {
  if (key == "port") return store(record.ports, parse_mapping(value));
  if (key == "upstream") return store(record.dns_servers, netns::parse_ip(value));
  if (key == "network") {
    record.networks.emplace_back().network = value;
    return true;
  }
  return !record.networks.empty() && read_attached_line(record.networks.back(), key, value);
}

}  // namespace

std::string render_network_record(const NetworkRunRecord& record) {
  std::string text;
  for (const PortMapping& mapping : record.ports) add_line(text, "port", render_mapping(mapping));
  for (const netns::IpAddress& server : record.dns_servers)
    add_line(text, "upstream", netns::render_ip(server));
  for (const AttachedNetwork& attached : record.networks) render_attached(text, attached);
  return text;
}

std::optional<NetworkRunRecord> parse_network_record(std::string_view text) {
  NetworkRunRecord record;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto parts = split_once(line, ' ');
    if (!parts || !read_line(record, parts->first, parts->second)) return std::nullopt;
  }
  return record;
}

std::optional<NetworkRunRecord> read_network_record(const std::string& run_directory) {
  const auto text = sys::read_file_if_exists(AT_FDCWD, concat(run_directory, "/", network_record_name));
  return text ? parse_network_record(*text) : std::nullopt;
}

void write_network_record(const std::string& run_directory, const NetworkRunRecord& record) {
  sys::replace_file(AT_FDCWD, concat(run_directory, "/", network_record_name), render_network_record(record),
                    0600, sys::Durability::none);
}

}  // namespace knarr::engine
