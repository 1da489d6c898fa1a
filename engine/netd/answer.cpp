// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/answer.h"

#include <algorithm>

namespace knarr::engine::netd {

namespace {

using netns::IpAddress;
using Addresses = std::vector<IpAddress>;

// The search domain containers of podman have, too: names in it never leave.
constexpr std::string_view own_domain = "dns.podman";

bool is_own_name(std::string_view name) {
  return name == own_domain ||
         (name.ends_with(own_domain) && name[name.size() - own_domain.size() - 1] == '.');
}

std::string without_domain(const std::string& name) {
  if (!is_own_name(name)) return name;
  return name.substr(0, name.size() - std::min(name.size(), own_domain.size() + 1));
}

bool names_the_host(std::string_view name) {
  return name == "host.containers.internal" || name == "host.docker.internal";
}

// A container of several networks has one of their gateways as its first resolver and asks it for everybody.
Addresses find_on_other_networks(const std::string& name, const Asker& asker, const NameFiles& files) {
  Addresses found;
  std::string container;
  for (const std::string& network : files.networks()) {
    if (network == asker.network) continue;
    const Addresses there = files.find(network, name);
    if (there.empty()) continue;
    if (container.empty()) container = files.owner(asker.network, asker.address);
    if (container.empty()) return {};
    if (files.is_member(network, container)) found.insert(found.end(), there.begin(), there.end());
  }
  return found;
}

Addresses find_addresses(const std::string& name, const Asker& asker, const ServedNetwork& network,
                         const NameFiles& files) {
  if (names_the_host(name)) return network.host ? Addresses{*network.host} : Addresses{};
  if (!is_name(name)) return {};
  Addresses found = files.find(asker.network, name);
  return found.empty() ? find_on_other_networks(name, asker, files) : found;
}

// Each family by itself: an answer has only one.
Addresses in_turn(Addresses addresses, unsigned turn) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const auto is_v4 = [](const IpAddress& address) { return address.family == netns::Family::v4; };
  const auto middle = std::partition_point(addresses.begin(), addresses.end(), is_v4);
  const auto rotate = [turn](auto begin, auto end) {
    if (begin != end) std::rotate(begin, begin + turn % (end - begin), end);
  };
  rotate(addresses.begin(), middle);
  rotate(middle, addresses.end());
  return addresses;
}

bool lies_in(const netns::Subnet& part, const ServedNetwork& network) {
  return std::any_of(network.subnets.begin(), network.subnets.end(), [&](const netns::Subnet& subnet) {
    return part.prefix >= subnet.prefix && netns::contains(subnet, part.address);
  });
}

// Of the networks' own addresses nothing is asked outside.
std::optional<Bytes> answer_reverse(ByteView bytes, const netns::Subnet& asked, const Query& query,
                                    const Asker& asker, const NameFiles& files) {
  for (const std::string& network : files.networks()) {
    if (!lies_in(asked, files.network(network))) continue;
    const bool whole = asked.prefix == asked.address.bits();
    const std::string container = whole ? files.owner(network, asked.address) : "";
    if (container.empty()) return build_failure(bytes, Rcode::no_such_name);
    const bool visible =
        network == asker.network || files.is_member(network, files.owner(asker.network, asker.address));
    const auto names = visible ? files.names_of(network, container) : std::vector<std::string>{};
    if (names.empty()) return build_failure(bytes, Rcode::no_such_name);
    const bool wanted = query.type == type_ptr || query.type == type_any;
    return build_names(bytes, wanted ? names : std::vector<std::string>{});
  }
  return std::nullopt;
}

}  // namespace

std::optional<Bytes> answer_query(ByteView bytes, const Query& query, const Asker& asker,
                                  const NameFiles& files, unsigned turn) {
  if (query.klass != class_in) return build_failure(bytes, Rcode::refused);
  if (const auto reverse = parse_reverse_name(query.name)) {
    if (auto answer = answer_reverse(bytes, *reverse, query, asker, files)) return answer;
  }
  const ServedNetwork network = files.network(asker.network);
  Addresses addresses = find_addresses(without_domain(query.name), asker, network, files);
  if (!addresses.empty()) {
    return build_addresses(bytes, in_turn(std::move(addresses), turn));
  }
  if (is_own_name(query.name) || names_the_host(query.name) || network.internal)
    return build_failure(bytes, Rcode::no_such_name);
  return std::nullopt;
}

}  // namespace knarr::engine::netd
