// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/way_out.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "netns/enter.h"
#include "netns/forward/socket_address.h"
#include "netns/links.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

// ---- the program ----

namespace {

std::string find_program(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::string path = variable != nullptr ? variable : "";
  // An ordinary user's may lack these.
  path += ":/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin";
  for (std::size_t begin = 0, end; begin < path.size(); begin = end + 1) {
    end = std::min(path.find(':', begin), path.size());
    const std::string candidate = concat(path.substr(begin, end - begin), '/', name);
    if (candidate[0] == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// That of 2023 (Debian 12) gives a client that has closed its half the answer several times over, and never
// its end. It does not tell its version, but its options are in it: this one came in 2024.
bool ends_connections_well(const std::string& pasta) {
  constexpr std::string_view option_of_2024 = "map-host-loopback";
  return sys::read_file(AT_FDCWD, pasta).find(option_of_2024) != std::string::npos;
}

}  // namespace

std::string_view way_out_words(WayOutKind kind) {
  switch (kind) {
    case WayOutKind::pasta:
      return "pasta";
    case WayOutKind::slirp4netns:
      return "slirp4netns";
    case WayOutKind::none:
      break;
  }
  return "none: install passt";
}

WayOutProgram find_way_out() {
  std::string pasta = find_program("pasta"), slirp = find_program("slirp4netns");
  if (!pasta.empty() && (slirp.empty() || ends_connections_well(pasta)))
    return {WayOutKind::pasta, std::move(pasta)};
  if (!slirp.empty()) return {WayOutKind::slirp4netns, std::move(slirp)};
  return {};
}

bool is_way_out_installed() {
  return !find_program("pasta").empty() || !find_program("slirp4netns").empty();
}

WayOutAddresses way_out_addresses(WayOutKind kind) {
  // slirp4netns' are fixed. Pasta may have any: a prefix of our own is nobody else's on the host's side.
  const bool fixed = kind == WayOutKind::slirp4netns;
  return {*netns::parse_subnet("10.0.2.100/24"),
          *netns::parse_subnet(fixed ? "fd00::100/64" : "fd6b:6e61:7272::100/64"),
          *netns::parse_ip("10.0.2.2"), *netns::parse_ip(fixed ? "fd00::2" : "fd6b:6e61:7272::2")};
}

// ---- the device ----

namespace {

void make_tap() {
  const sys::UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tun) {
    throw Unsupported(
        concat("opening /dev/net/tun: ", errno_words(errno), "; without it containers have no way out"));
  }
  ifreq request{};
  std::strcpy(request.ifr_name, way_out_interface);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tun.get(), TUNSETIFF, &request) < 0) {
    if (errno == EBUSY) return;  // it is there, and a program has it
    throw_errno("making the network device ", way_out_interface);
  }
  if (::ioctl(tun.get(), TUNSETPERSIST, 1) < 0) throw_errno("keeping the network device ", way_out_interface);
}

// While no program answers for the gateway its address is asked for every 10 ms, 2000 times, and what is to
// be sent waits. The link that comes up must not throw away what waited (the evict_nocarrier ones,
// Linux 5.16).
void write_device_sysctls() {
  for (const std::string family : {"ipv4", "ipv6"}) {
    const std::string neighbours = concat(family, "/neigh/", way_out_interface, '/');
    netns::write_net_sysctl(neighbours + "retrans_time_ms", "10");
    netns::write_net_sysctl(neighbours + "mcast_solicit", "2000");
    netns::write_net_sysctl(neighbours + "ucast_solicit", "2000");
  }
  const std::string v4 = concat("ipv4/conf/", way_out_interface, '/');
  netns::write_net_sysctl(v4 + "arp_evict_nocarrier", "0");
  const std::string v6 = concat("ipv6/conf/", way_out_interface, '/');
  netns::write_net_sysctl(v6 + "ndisc_evict_nocarrier", "0");
  netns::write_net_sysctl(v6 + "accept_dad", "0");
  netns::write_net_sysctl(v6 + "accept_ra", "0");
}

void add_default_route(netns::Namespace& engine, int link, const netns::IpAddress& gateway) {
  rtmsg family{};
  family.rtm_family = static_cast<unsigned char>(netns::domain_of(gateway.family));
  family.rtm_table = RT_TABLE_MAIN;
  family.rtm_protocol = RTPROT_STATIC;
  family.rtm_type = RTN_UNICAST;
  netns::netlink::Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family);
  message.put_ip(RTA_GATEWAY, gateway);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(link));
  engine.route.request(std::move(message), concat("adding the way out by ", netns::render_ip(gateway)));
}

constexpr std::uint32_t way_out_mtu = 65520;

}  // namespace

void make_way_out_device(netns::Namespace& engine, WayOutKind kind) {
  netns::in_network_namespace(engine.fd, [] {
    make_tap();
    write_device_sysctls();
  });
  const auto link = netns::find_link(engine.route, way_out_interface);
  if (!link) throw SysError(ENODEV, concat("making the network device ", way_out_interface));
  const std::string act = concat("setting up ", way_out_interface);
  netns::LinkChange change;
  change.up = true;
  change.mtu = way_out_mtu;
  netns::change_link(engine.route, link->index, change, act);
  const WayOutAddresses addresses = way_out_addresses(kind);
  netns::add_address(engine.route, link->index, {addresses.v4.address, addresses.v4.prefix}, act);
  add_default_route(engine, link->index, addresses.gateway_v4);
  const auto v6 =
      netns::add_address(engine.route, link->index, {addresses.v6.address, addresses.v6.prefix}, act);
  if (v6 == netns::AddressResult::done) add_default_route(engine, link->index, addresses.gateway_v6);
}

// ---- the host ----

std::optional<netns::IpAddress> primary_host_address(netns::Family family) {
  // Of the ranges for documentation: nobody is there, so only a default route leads to it. Nothing is sent.
  const auto outside = netns::parse_ip(family == netns::Family::v4 ? "192.0.2.1" : "2001:db8::1");
  const sys::UniqueFd socket(::socket(netns::domain_of(family), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const netns::forward::SocketAddress address = netns::forward::to_socket_address({*outside, 9});
  if (!socket || ::connect(socket.get(), &address.any, address.size()) < 0) return std::nullopt;
  return netns::forward::local_end(socket.get()).address;
}

}  // namespace knarr::engine
