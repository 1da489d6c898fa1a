// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/served_network.h"

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

void take_address(std::string_view value, std::vector<netns::IpAddress>& addresses) {
  if (const auto address = netns::parse_ip(value)) addresses.push_back(*address);
}

void take_line(std::string_view key, std::string_view value, ServedNetwork& network) {
  if (key == "bridge") network.bridge = value;
  if (key == "subnet") {
    if (const auto subnet = netns::parse_subnet(value)) network.subnets.push_back(netns::network_of(*subnet));
  }
  if (key == "gateway") take_address(value, network.gateways);
  if (key == "forward") take_address(value, network.forward);
  if (key == "host") network.host = netns::parse_ip(value);
  if (key == "dns") network.dns = value == "yes";
  if (key == "internal") network.internal = value == "yes";
}

}  // namespace

std::string render_served_network(const ServedNetwork& network) {
  std::string text = concat("bridge ", network.bridge, '\n');
  for (const auto& subnet : network.subnets) text += concat("subnet ", netns::render_subnet(subnet), '\n');
  for (const auto& gateway : network.gateways) text += concat("gateway ", netns::render_ip(gateway), '\n');
  for (const auto& server : network.forward) text += concat("forward ", netns::render_ip(server), '\n');
  if (network.host) text += concat("host ", netns::render_ip(*network.host), '\n');
  text += concat("dns ", network.dns ? "yes" : "no", '\n');
  text += concat("internal ", network.internal ? "yes" : "no", '\n');
  return text;
}

ServedNetwork parse_served_network(std::string_view text) {
  ServedNetwork network;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) take_line(line.substr(0, space), line.substr(space + 1), network);
  }
  return network;
}

}  // namespace knarr::engine
