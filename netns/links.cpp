// SPDX-License-Identifier: Apache-2.0
#include "netns/links.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <time.h>

#include <algorithm>

#include "netns/namespace.h"
#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

using netlink::Bytes;
using netlink::Message;

bool is_link_local(const IpAddress& address) {
  return address.family == Family::v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

std::optional<Family> family_of(std::uint8_t domain) {
  if (domain == AF_INET) return Family::v4;
  if (domain == AF_INET6) return Family::v6;
  return std::nullopt;
}

std::optional<IpAddress> read_ip(std::optional<Bytes> bytes, Family family) {
  IpAddress address{.family = family};
  if (!bytes || bytes->size() != address.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), address.bytes.begin());
  return address;
}

LinkInfo read_link(Bytes payload) {
  LinkInfo link;
  const auto header = netlink::read_value<ifinfomsg>(payload);
  if (!header) return link;
  const Bytes attributes = netlink::attributes_after(payload, sizeof *header);
  link.index = header->ifi_index;
  link.up = (header->ifi_flags & IFF_UP) != 0;
  const auto state = netlink::find_attribute(attributes, IFLA_OPERSTATE);
  link.running = state && netlink::read_value<std::uint8_t>(*state) == IF_OPER_UP;
  link.name = netlink::find_string(attributes, IFLA_IFNAME);
  link.mtu = netlink::find_u32(attributes, IFLA_MTU).value_or(0);
  link.master = static_cast<int>(netlink::find_u32(attributes, IFLA_MASTER).value_or(0));
  link.peer = static_cast<int>(netlink::find_u32(attributes, IFLA_LINK).value_or(0));
  if (const auto info = netlink::find_attribute(attributes, IFLA_LINKINFO))
    link.kind = netlink::find_string(*info, IFLA_INFO_KIND);
  if (const auto mac = netlink::find_attribute(attributes, IFLA_ADDRESS);
      mac && mac->size() == link.mac.size())
    std::copy(mac->begin(), mac->end(), link.mac.begin());
  return link;
}

std::optional<AddressInfo> read_address(Bytes payload) {
  const auto header = netlink::read_value<ifaddrmsg>(payload);
  const auto family = header ? family_of(header->ifa_family) : std::nullopt;
  if (!family) return std::nullopt;
  const Bytes attributes = netlink::attributes_after(payload, sizeof *header);
  // IFA_ADDRESS is the other end's of a point-to-point link; IPv6 has no IFA_LOCAL otherwise.
  auto ip = read_ip(netlink::find_attribute(attributes, IFA_LOCAL), *family);
  if (!ip) ip = read_ip(netlink::find_attribute(attributes, IFA_ADDRESS), *family);
  if (!ip) return std::nullopt;
  return AddressInfo{
      static_cast<int>(header->ifa_index), {*ip, header->ifa_prefixlen}, header->ifa_scope == RT_SCOPE_LINK};
}

std::optional<RouteInfo> read_route(Bytes payload) {
  const auto header = netlink::read_value<rtmsg>(payload);
  const auto family = header ? family_of(header->rtm_family) : std::nullopt;
  if (!family || header->rtm_table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST) return std::nullopt;
  const Bytes attributes = netlink::attributes_after(payload, sizeof *header);
  RouteInfo route;
  IpAddress any{.family = *family};
  route.destination = {read_ip(netlink::find_attribute(attributes, RTA_DST), *family).value_or(any),
                       header->rtm_dst_len};
  if (is_link_local(route.destination.address)) return std::nullopt;
  route.gateway = read_ip(netlink::find_attribute(attributes, RTA_GATEWAY), *family);
  route.link = static_cast<int>(netlink::find_u32(attributes, RTA_OIF).value_or(0));
  route.metric = netlink::find_u32(attributes, RTA_PRIORITY).value_or(0);
  route.static_route = header->rtm_protocol == RTPROT_STATIC;
  return route;
}

// The counters are most of a link's description, and the slow part of it.
Message without_counters(Message message) {
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return message;
}

std::optional<LinkInfo> ask_link(netlink::Socket& route, Message message) {
  const auto found = route.get(without_counters(std::move(message)), "looking for a network interface");
  if (!found) return std::nullopt;
  return read_link(*found);
}

Message address_message(std::uint16_t type, std::uint16_t flags, int link, const InterfaceAddress& address) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(domain_of(address.address.family));
  header.ifa_prefixlen = address.prefix;
  header.ifa_index = static_cast<std::uint32_t>(link);
  header.ifa_scope = is_link_local(address.address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  Message message(type, flags, header);
  message.put_ip(IFA_LOCAL, address.address);
  message.put_ip(IFA_ADDRESS, address.address);
  return message;
}

bool same(const InterfaceAddress& one, const InterfaceAddress& other) {
  return one.address == other.address && one.prefix == other.prefix;
}

// The kernel does some things later, under a lock that others hold for long.
template <typename Done>
void wait_a_second_for(Done&& done) {
  constexpr timespec pause{0, 200'000};
  for (int attempt = 0; attempt < 5000 && !done(); ++attempt) ::nanosleep(&pause, nullptr);
}

// The multicast group that whoever looks for the address asks in (RFC 4291, 2.7.1).
IpAddress solicited_node(const IpAddress& address) {
  IpAddress group{Family::v6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy_n(address.bytes.begin() + 13, 3, group.bytes.begin() + 13);
  return group;
}

std::vector<IpAddress> list_ipv6_groups(netlink::Socket& route, int link) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  header.ifa_index = static_cast<std::uint32_t>(link);
  std::vector<IpAddress> groups;
  route.dump({RTM_GETMULTICAST, 0, header}, "listing multicast groups").for_each([&](const auto& message) {
    const Bytes attributes = netlink::attributes_after(message.payload, sizeof header);
    const auto group = read_ip(netlink::find_attribute(attributes, IFA_MULTICAST), Family::v6);
    if (group) groups.push_back(*group);
  });
  return groups;
}

std::string words(const InterfaceAddress& address) {
  return render_subnet({address.address, address.prefix});
}

}  // namespace

std::vector<LinkInfo> list_links(netlink::Socket& route) {
  std::vector<LinkInfo> links;
  route.dump(without_counters({RTM_GETLINK, 0, ifinfomsg{}}), "listing network interfaces")
      .for_each([&](const auto& message) { links.push_back(read_link(message.payload)); });
  return links;
}

std::optional<LinkInfo> find_link(netlink::Socket& route, const std::string& name) {
  Message message(RTM_GETLINK, 0, ifinfomsg{});
  message.put_string(IFLA_IFNAME, name);
  return ask_link(route, std::move(message));
}

std::optional<LinkInfo> find_link(netlink::Socket& route, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  return ask_link(route, {RTM_GETLINK, 0, header});
}

std::vector<AddressInfo> list_addresses(netlink::Socket& route, int link) {
  ifaddrmsg header{};
  header.ifa_index = static_cast<std::uint32_t>(link);
  std::vector<AddressInfo> addresses;
  route.dump({RTM_GETADDR, 0, header}, "listing addresses").for_each([&](const auto& message) {
    const auto address = read_address(message.payload);
    // A kernel before 4.20 does not look at the index that was asked for.
    if (address && (link == 0 || address->link == link)) addresses.push_back(*address);
  });
  return addresses;
}

std::vector<RouteInfo> list_routes(netlink::Socket& route, Family family) {
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(domain_of(family));
  std::vector<RouteInfo> routes;
  route.dump({RTM_GETROUTE, 0, header}, "listing routes").for_each([&](const auto& message) {
    // A kernel without the family lists those of the others.
    const auto found = read_route(message.payload);
    if (found && found->destination.address.family == family) routes.push_back(*found);
  });
  return routes;
}

void change_link(netlink::Socket& route, int index, const LinkChange& change, std::string_view act) {
  ifinfomsg header{};
  header.ifi_index = index;
  if (change.up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *change.up ? IFF_UP : 0;
  }
  Message message(RTM_NEWLINK, 0, header);
  if (change.name) message.put_string(IFLA_IFNAME, *change.name);
  if (change.mtu) message.put_u32(IFLA_MTU, *change.mtu);
  if (change.mac) message.put(IFLA_ADDRESS, change.mac->data(), change.mac->size());
  if (change.master) message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(*change.master));
  if (change.without_link_local)
    message.nest(IFLA_AF_SPEC, [&] {
      message.nest(AF_INET6, [&] { message.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
    });
  route.request(std::move(message), act);
}

void wait_until_running(netlink::Socket& route, int index) {
  wait_a_second_for([&] {
    const auto link = find_link(route, index);
    return !link || link->running;
  });
}

void wait_until_heard(netlink::Socket& route, int link, std::span<const InterfaceAddress> addresses) {
  wait_a_second_for([&] {
    const std::vector<IpAddress> groups = list_ipv6_groups(route, link);
    return std::all_of(addresses.begin(), addresses.end(), [&](const InterfaceAddress& address) {
      return address.address.family == Family::v4 ||
             std::find(groups.begin(), groups.end(), solicited_node(address.address)) != groups.end();
    });
  });
}

void delete_link(netlink::Socket& route, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  const netlink::Answer answer = route.ask({RTM_DELLINK, 0, header});
  if (answer.error != 0 && answer.error != ENODEV) throw_refused(answer, "deleting a network interface");
}

AddressResult add_address(netlink::Socket& route, int link, const InterfaceAddress& address,
                          std::string_view act) {
  Message message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, address);
  if (address.address.family == Family::v6)
    message.put_u32(IFA_FLAGS, IFA_F_NODAD);
  else if (address.prefix < 31)
    message.put_ip(IFA_BROADCAST, last_of({address.address, address.prefix}));
  const netlink::Answer answer = route.ask(std::move(message));
  if (answer.error == 0 || answer.error == EEXIST) return AddressResult::done;
  if (address.address.family == Family::v6 && says_no_ipv6(answer.error)) return AddressResult::no_ipv6;
  throw_refused(answer, concat(act, ": adding the address ", words(address)));
}

void remove_address(netlink::Socket& route, int link, const InterfaceAddress& address, std::string_view act) {
  const netlink::Answer answer = route.ask(address_message(RTM_DELADDR, 0, link, address));
  if (answer.error != 0 && answer.error != EADDRNOTAVAIL)
    throw_refused(answer, concat(act, ": removing the address ", words(address)));
}

AddressResult apply_addresses(netlink::Socket& route, int link, std::span<const InterfaceAddress> wanted,
                              std::string_view act, ForeignAddresses foreign) {
  const std::vector<AddressInfo> present = list_addresses(route, link);
  const auto holds = [](const auto& list, const InterfaceAddress& address) {
    return std::any_of(list.begin(), list.end(), [&](const auto& other) { return same(other, address); });
  };
  std::vector<InterfaceAddress> kept;
  for (const AddressInfo& address : present) {
    if (foreign == ForeignAddresses::keep || address.link_local || holds(wanted, address.address))
      kept.push_back(address.address);
    else
      remove_address(route, link, address.address, act);
  }
  AddressResult result = AddressResult::done;
  for (const InterfaceAddress& address : wanted) {
    if (!holds(kept, address) && add_address(route, link, address, act) == AddressResult::no_ipv6)
      result = AddressResult::no_ipv6;
  }
  return result;
}

}  // namespace knarr::netns
