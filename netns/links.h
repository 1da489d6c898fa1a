// SPDX-License-Identifier: Apache-2.0
// The interfaces, addresses and routes of a network namespace, as they are and as single changes.
// See rtnetlink(7). All throw SysError naming the interface.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "netns/netlink/socket.h"
#include "netns/network_plan.h"

namespace knarr::netns {

constexpr int loopback_index = 1;  // in every network namespace

struct LinkInfo {
  int index = 0;
  std::string name;
  std::string kind;  // "bridge", "veth", ...; empty for hardware and lo
  MacAddress mac{};
  std::uint32_t mtu = 0;
  bool up = false;       // IFF_UP
  bool running = false;  // and packets pass (IF_OPER_UP)
  int master = 0;        // the bridge's index; 0: none
  int peer = 0;          // of a veth: the other end's index, in whatever namespace that is
};
std::vector<LinkInfo> list_links(netlink::Socket& route);
std::optional<LinkInfo> find_link(netlink::Socket& route, const std::string& name);
std::optional<LinkInfo> find_link(netlink::Socket& route, int index);

struct AddressInfo {
  int link = 0;  // index
  InterfaceAddress address;
  bool link_local = false;
};
// Of one interface; 0: of all.
std::vector<AddressInfo> list_addresses(netlink::Socket& route, int link = 0);

struct RouteInfo {
  int link = 0;  // 0: none or several
  Subnet destination;
  std::optional<IpAddress> gateway;
  std::uint32_t metric = 0;
  bool static_route = false;  // RTPROT_STATIC: what this module adds
};
// Of the main table, without those to groups, to this host and of IPv6's link-local network. What a new
// network's subnet must not overlap.
std::vector<RouteInfo> list_routes(netlink::Socket& route, Family family);

// What a link shall be; what is not set stays as it is.
struct LinkChange {
  std::optional<bool> up;
  std::optional<int> master;  // 0: none
  std::optional<std::uint32_t> mtu;
  std::optional<MacAddress> mac;
  std::optional<std::string> name;  // "gone%d": the kernel counts
  bool without_link_local = false;  // it makes itself no IPv6 address
};
void change_link(netlink::Socket& route, int index, const LinkChange& change, std::string_view act);

// A link that came up passes packets only when the kernel's link watch has seen it, which it does later: the
// first ones would be lost, and TCP tries again after a second. Linux 6.9 and later do it for who asks about
// the link; else it takes some milliseconds. Gives up after a second: that is a delay and no failure.
void wait_until_running(netlink::Socket& route, int index);

// Deletes it, and with a veth its peer. Waits for all CPUs to be done with it: 7 to 40 ms. Missing is fine.
void delete_link(netlink::Socket& route, int index);

// An IPv6 address is heard of when its neighbours' questions reach it: the kernel joins their multicast group
// later, and a question that is lost is asked again after a second. Gives up as the other one.
void wait_until_heard(netlink::Socket& route, int link, std::span<const InterfaceAddress> addresses);

enum class AddressResult { done, no_ipv6 };
// Already there is fine. An IPv6 address is usable at once (no duplicate address detection).
AddressResult add_address(netlink::Socket& route, int link, const InterfaceAddress& address,
                          std::string_view act);
void remove_address(netlink::Socket& route, int link, const InterfaceAddress& address, std::string_view act);

// What happens to addresses nobody wished for. Link-local ones always stay.
enum class ForeignAddresses { remove, keep };
// An interface gets these addresses. no_ipv6: the kernel refuses those of IPv6, the others are there.
AddressResult apply_addresses(netlink::Socket& route, int link, std::span<const InterfaceAddress> wanted,
                              std::string_view act, ForeignAddresses foreign);

}  // namespace knarr::netns
