// SPDX-License-Identifier: Apache-2.0
#include "netns/bridge.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

// A bridge forwards IPv6 only when it can ask for neighbours, and it asks from a link-local address. The one
// it would make itself cannot be used for its first second (duplicate address detection).
InterfaceAddress link_local_of_bridge() {
  return {parse_ip("fe80::1").value(), 64};
}

netlink::Answer create_bridge(netlink::Socket& route, const Bridge& bridge) {
  netlink::Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  const MacAddress mac = bridge_mac(bridge.name);
  message.put_string(IFLA_IFNAME, bridge.name);
  message.put_u32(IFLA_MTU, bridge.mtu);
  // Else it has the lowest MAC address of its ports, and changes it as containers come and go.
  message.put(IFLA_ADDRESS, mac.data(), mac.size());
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] {
      message.put_u32(IFLA_BR_STP_STATE, 0);
      message.put_u32(IFLA_BR_FORWARD_DELAY, 0);
      // Without a querier, snooping loses the neighbour discovery of IPv6 after some minutes.
      message.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
    });
  });
  return route.ask(std::move(message));
}

LinkInfo find_or_create(Namespace& engine, const Bridge& bridge, std::string_view act) {
  const std::string name = bridge.name;
  auto found = find_link(engine.route, name);
  if (!found) {
    const netlink::Answer answer = create_bridge(engine.route, bridge);
    if (answer.error != 0 && answer.error != EEXIST) throw_refused(answer, act);
    found = find_link(engine.route, name);
    // Somebody deletes what we make: not ours to fight.
    if (!found) throw SysError(ENODEV, act);
  }
  if (found->kind != "bridge")
    throw Conflict(concat(act, ": there is an interface with this name and it is no bridge"));
  return *found;
}

}  // namespace

MacAddress bridge_mac(std::string_view name) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
  MacAddress mac{0x02};
  for (std::size_t i = 1; i < mac.size(); ++i) mac[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return mac;
}

int apply_bridge(Namespace& engine, const Bridge& bridge) {
  const std::string act = concat("setting up bridge ", bridge.name);
  const LinkInfo link = find_or_create(engine, bridge, act);
  const bool ours = link.mac == bridge_mac(bridge.name);
  std::vector<InterfaceAddress> addresses(bridge.addresses, bridge.addresses + bridge.address_count);
  const bool ipv6 = std::any_of(addresses.begin(), addresses.end(),
                                [](const auto& address) { return address.address.family == Family::v6; });
  if (ipv6 && engine.ipv6 && ours) addresses.push_back(link_local_of_bridge());
  LinkChange change;
  if (!link.up) change.up = true;
  if (ours && link.mtu != bridge.mtu) change.mtu = bridge.mtu;
  // Before it is up, which is when it would make one.
  if (ours && engine.ipv6 && !link.up)
    change_link(engine.route, link.index, {.without_link_local = true}, act);
  if (change.up || change.mtu) change_link(engine.route, link.index, change, act);
  const AddressResult result = apply_addresses(engine.route, link.index, addresses, act,
                                               ours ? ForeignAddresses::remove : ForeignAddresses::keep);
  if (ipv6 && engine.ipv6 && result == AddressResult::done)
    wait_until_heard(engine.route, link.index, addresses);
  return link.index;
}

void remove_bridge(Namespace& engine, const std::string& name) {
  const auto link = find_link(engine.route, name);
  if (link && link->kind == "bridge" && link->mac == bridge_mac(name)) delete_link(engine.route, link->index);
}

std::vector<std::string> list_used_bridges(netlink::Socket& route) {
  const std::vector<LinkInfo> links = list_links(route);
  std::vector<std::string> used;
  for (const LinkInfo& bridge : links) {
    const bool has_port = std::any_of(links.begin(), links.end(),
                                      [&](const LinkInfo& link) { return link.master == bridge.index; });
    if (bridge.kind == "bridge" && has_port) used.push_back(bridge.name);
  }
  return used;
}

}  // namespace knarr::netns
