// SPDX-License-Identifier: Apache-2.0
#include "netns/link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "netns/interface.h"
#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

using netlink::Message;

constexpr std::string_view detached_prefix = "gone";

// --- the container's namespace ---------------------------------------------------------------------------

// Of interfaces to come: our addresses are not asked for on the wire and nobody else gives any.
void write_container_sysctls(const Namespace& container) {
  write_net_sysctl("ipv4/tcp_fwmark_accept", "1");
  // What the kernel answers by itself goes the same way: the reset of a connection that nobody takes.
  write_net_sysctl("ipv4/fwmark_reflect", "1");
  if (!container.ipv6) return;
  write_net_sysctl("ipv6/fwmark_reflect", "1");
  write_net_sysctl("ipv6/conf/default/accept_dad", "0");
  write_net_sysctl("ipv6/conf/default/accept_ra", "0");
}

// --- the pair --------------------------------------------------------------------------------------------

struct Pair {
  std::optional<LinkInfo> inside;   // the container's end
  std::optional<LinkInfo> outside;  // the bridge's
};

// Both ends know the other's index only; an index may be used in any number of namespaces.
bool is_pair(const LinkInfo& inside, const LinkInfo& outside) {
  return inside.kind == "veth" && outside.kind == "veth" && inside.peer == outside.index &&
         outside.peer == inside.index;
}

Pair find_pair(Namespace& engine, Namespace& container, const std::string& name) {
  Pair pair;
  pair.inside = find_link(container.route, name);
  if (!pair.inside || pair.inside->kind != "veth" || pair.inside->peer == 0) return pair;
  pair.outside = find_link(engine.route, pair.inside->peer);
  if (pair.outside && !is_pair(*pair.inside, *pair.outside)) pair.outside.reset();
  return pair;
}

// The kernel makes one queue per CPU otherwise; a veth's transmit takes no lock, so they would be idle.
void put_single_queue(Message& message) {
  message.put_u32(IFLA_NUM_TX_QUEUES, 1);
  message.put_u32(IFLA_NUM_RX_QUEUES, 1);
}

// Both ends at once, each in its place; the bridge's end is up. The other one cannot be yet: its peer is not
// there at that point.
Message pair_message(const Namespace& container, const Link& link, int bridge_index) {
  ifinfomsg header{};
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header);
  message.put_string(IFLA_IFNAME, link.host_name[0] != '\0' ? link.host_name : "veth%d");
  message.put_u32(IFLA_MTU, link.bridge->mtu);
  message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge_index));
  put_single_queue(message);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        message.put_raw(ifinfomsg{});
        message.put_string(IFLA_IFNAME, link.name);
        message.put_u32(IFLA_MTU, link.bridge->mtu);
        message.put(IFLA_ADDRESS, link.mac.data(), link.mac.size());
        put_single_queue(message);
        message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(container.fd));
      });
    });
  });
  return message;
}

// The end that a container of this name had before: its namespace is gone and the kernel will delete it.
bool delete_leftover(Namespace& engine, const std::string& name) {
  const auto leftover = name.empty() ? std::nullopt : find_link(engine.route, name);
  if (!leftover || leftover->kind != "veth") return false;
  delete_link(engine.route, leftover->index);
  return true;
}

Pair create_pair(Namespace& engine, Namespace& container, const Link& link, int bridge_index,
                 std::string_view act) {
  netlink::Answer answer = engine.route.ask(pair_message(container, link, bridge_index));
  if (answer.error == EEXIST && delete_leftover(engine, link.host_name))
    answer = engine.route.ask(pair_message(container, link, bridge_index));
  if (answer.error != 0) throw_refused(answer, act);
  Pair pair = find_pair(engine, container, link.name);
  if (!pair.outside) throw SysError(ENODEV, act);
  return pair;
}

void mend_outside(Namespace& engine, const LinkInfo& outside, const Link& link, int bridge_index,
                  std::string_view act) {
  LinkChange change;
  // A port of a bridge speaks for nobody.
  change.without_link_local = engine.ipv6;
  if (!outside.up) change.up = true;
  if (outside.mtu != link.bridge->mtu) change.mtu = link.bridge->mtu;
  if (outside.master != bridge_index) change.master = bridge_index;
  change_link(engine.route, outside.index, change, act);
}

}  // namespace

Namespace open_container_namespace(int netns_fd) {
  Namespace container = open_namespace(netns_fd, Filtering::no, write_container_sysctls);
  change_link(container.route, loopback_index, {.up = true}, "setting up the container's loopback interface");
  return container;
}

void apply_link(Namespace& engine, Namespace& container, const Link& link) {
  const std::string act = concat("setting up interface ", link.name, " on bridge ", link.bridge->name);
  const auto bridge = find_link(engine.route, std::string(link.bridge->name));
  if (!bridge) throw SysError(ENODEV, act);
  Pair pair = find_pair(engine, container, link.name);
  if (pair.inside && !pair.outside)
    throw Conflict(concat(act, ": the container has another interface with this name"));
  if (!pair.inside) pair = create_pair(engine, container, link, bridge->index, act);
  mend_outside(engine, *pair.outside, link, bridge->index, act);
  const LinkInfo& inside = *pair.inside;
  bring_up(container, inside, link, link.bridge->mtu, act);
  wait_until_running(container.route, inside.index);
  wait_until_running(engine.route, pair.outside->index);
  wait_until_running(engine.route, bridge->index);
  apply_layer_three(container, inside, link, act);
}

void detach_link(Namespace& engine, Namespace& container, const std::string& name) {
  const std::string act = concat("disconnecting interface ", name);
  const Pair pair = find_pair(engine, container, name);
  if (!pair.outside) return;
  const std::string free_name = concat(detached_prefix, "%d");
  change_link(engine.route, pair.outside->index, {.up = false, .master = 0}, act);
  change_link(engine.route, pair.outside->index, {.name = free_name}, act);
  change_link(container.route, pair.inside->index, {.up = false}, act);
  change_link(container.route, pair.inside->index, {.name = free_name}, act);
}

void collect_links(Namespace& engine) {
  for (const LinkInfo& link : list_links(engine.route)) {
    if (link.kind == "veth" && link.master == 0 && !link.up && link.name.starts_with(detached_prefix))
      delete_link(engine.route, link.index);
  }
}

}  // namespace knarr::netns
