// SPDX-License-Identifier: Apache-2.0
#include "engine/network/live_network.h"

#include <fcntl.h>

#include "engine/network/run_paths.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

std::string live_path(const std::string& run_root, std::string_view network) {
  return network_run_directory(run_root, network) + "/network";
}

using netns::Isolation;
constexpr std::pair<Isolation, std::string_view> isolation_words[] = {
    {Isolation::none, "none"}, {Isolation::isolated, "isolated"}, {Isolation::strict, "strict"}};

bool read_isolation(Isolation& isolation, std::string_view value) {
  for (const auto& [word, text] : isolation_words) {
    if (text != value) continue;
    isolation = word;
    return true;
  }
  return false;
}

bool read_line(LiveNetwork& network, std::string_view key, const std::string& value) {
  if (key == "bridge") {
    network.bridge = value;
  } else if (key == "isolation") {
    return read_isolation(network.isolation, value);
  } else if (key == "subnet") {
    const auto subnet = netns::parse_subnet(value);
    if (!subnet) return false;
    network.subnets.push_back(*subnet);
  } else if (key == "host") {
    network.host = netns::parse_ip(value);
    return network.host.has_value();
  } else if (key == "dns") {
    network.dns = value == "yes";
  } else if (key == "internal") {
    network.internal = value == "yes";
  } else if (key == "gateway" || key == "forward") {
    const auto address = netns::parse_ip(value);
    if (!address) return false;
    (key == "gateway" ? network.gateways : network.forward).push_back(*address);
  }
  return true;
}

}  // namespace

LiveNetwork describe_live(const Network& network, const std::optional<netns::IpAddress>& host) {
  LiveNetwork live{.bridge = network.interface,
                   .subnets = {},
                   .gateways = {},
                   .dns = network.dns,
                   .internal = network.internal,
                   .isolation = isolation_of(network),
                   .forward = network.dns_servers,
                   .host = host};
  for (const NetworkSubnet& subnet : network.subnets) {
    live.subnets.push_back(subnet.subnet);
    if (subnet.gateway) live.gateways.push_back(*subnet.gateway);
  }
  return live;
}

std::string render_live_network(const LiveNetwork& network) {
  std::string text = concat("bridge ", network.bridge, "\ndns ", network.dns ? "yes" : "no", "\ninternal ",
                            network.internal ? "yes" : "no", "\n");
  for (const auto& [word, words] : isolation_words) {
    if (word == network.isolation) text += concat("isolation ", words, "\n");
  }
  for (const netns::Subnet& subnet : network.subnets)
    text += concat("subnet ", netns::render_subnet(subnet), "\n");
  if (network.host) text += concat("host ", netns::render_ip(*network.host), "\n");
  for (const netns::IpAddress& gateway : network.gateways)
    text += concat("gateway ", netns::render_ip(gateway), "\n");
  for (const netns::IpAddress& server : network.forward)
    text += concat("forward ", netns::render_ip(server), "\n");
  return text;
}

std::optional<LiveNetwork> parse_live_network(std::string_view text) {
  LiveNetwork network;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto parts = split_once(line, ' ');
    if (!parts || !read_line(network, parts->first, parts->second)) return std::nullopt;
  }
  if (network.bridge.empty()) return std::nullopt;
  return network;
}

void write_live_network(const std::string& run_root, const Network& network,
                        const std::optional<netns::IpAddress>& host) {
  const std::string text = render_live_network(describe_live(network, host));
  const std::string path = live_path(run_root, network.name);
  if (sys::read_file_if_exists(AT_FDCWD, path) == text) return;
  sys::make_directories(AT_FDCWD, network_run_directory(run_root, network.name), 0700);
  sys::replace_file(AT_FDCWD, path, text, 0600, sys::Durability::none);
}

std::optional<LiveNetwork> read_live_network(const std::string& run_root, const std::string& network) {
  const auto text = sys::read_file_if_exists(AT_FDCWD, live_path(run_root, network));
  return text ? parse_live_network(*text) : std::nullopt;
}

}  // namespace knarr::engine
