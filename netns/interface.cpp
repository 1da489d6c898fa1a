// SPDX-License-Identifier: Apache-2.0
#include "netns/interface.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

using netlink::Message;

Message route_message(std::uint16_t type, std::uint16_t flags, int link, const Route& route) {
  const Subnet destination = network_of(route.destination);
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(domain_of(destination.address.family));
  header.rtm_dst_len = destination.prefix;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  Message message(type, flags, header);
  if (destination.prefix > 0) message.put_ip(RTA_DST, destination.address);
  message.put_ip(RTA_GATEWAY, route.gateway);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(link));
  if (route.metric != 0) message.put_u32(RTA_PRIORITY, route.metric);
  return message;
}

// The metric that IPv6 gives to a route without one (IP6_RT_PRIO_USER).
constexpr std::uint32_t default_ipv6_metric = 1024;

bool is_route(const RouteInfo& present, const Route& wanted) {
  const bool ipv6 = wanted.destination.address.family == Family::v6;
  const std::uint32_t metric = wanted.metric == 0 && ipv6 ? default_ipv6_metric : wanted.metric;
  return present.destination == network_of(wanted.destination) && present.gateway == wanted.gateway &&
         present.metric == metric;
}

void remove_stale_routes(Namespace& container, const LinkInfo& inside, std::span<const Route> wanted,
                         std::string_view act) {
  for (const Family family : {Family::v4, Family::v6}) {
    if (family == Family::v6 && !container.ipv6) continue;
    for (const RouteInfo& route : list_routes(container.route, family)) {
      const auto is_this = [&](const Route& other) { return is_route(route, other); };
      if (route.link != inside.index || !route.static_route || !route.gateway) continue;
      if (std::any_of(wanted.begin(), wanted.end(), is_this)) continue;
      container.route.request(
          route_message(RTM_DELROUTE, 0, inside.index, {route.destination, *route.gateway, route.metric}),
          concat(act, ": removing the route to ", render_subnet(route.destination)));
    }
  }
}

// Adding after those of the same metric keeps the first network's default route the first.
void add_route(Namespace& container, const LinkInfo& inside, const Route& route, std::string_view act) {
  const netlink::Answer answer =
      container.route.ask(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, inside.index, route));
  if (answer.error != 0 && answer.error != EEXIST)
    throw_refused(answer, concat(act, ": adding the route to ", render_subnet(route.destination), " by ",
                                 render_ip(route.gateway)));
}

}  // namespace

void bring_up(Namespace& container, const LinkInfo& inside, const Interface& wanted, std::uint32_t mtu,
              std::string_view act) {
  LinkChange change;
  if (!inside.up) change.up = true;
  if (mtu != 0 && inside.mtu != mtu) change.mtu = mtu;
  if (inside.mac != wanted.mac) change.mac = wanted.mac;
  if (change.up || change.mtu || change.mac) change_link(container.route, inside.index, change, act);
}

void apply_layer_three(Namespace& container, const LinkInfo& inside, const Interface& wanted,
                       std::string_view act) {
  const std::span addresses(wanted.addresses, static_cast<std::size_t>(wanted.address_count));
  const std::span routes(wanted.routes, static_cast<std::size_t>(wanted.route_count));
  const AddressResult result =
      apply_addresses(container.route, inside.index, addresses, act, ForeignAddresses::remove);
  const bool ipv6 = container.ipv6 && result == AddressResult::done;
  remove_stale_routes(container, inside, routes, act);
  for (const Route& route : routes) {
    if (route.destination.address.family == Family::v4 || ipv6) add_route(container, inside, route, act);
  }
  if (ipv6) wait_until_heard(container.route, inside.index, addresses);
}

}  // namespace knarr::netns
