// SPDX-License-Identifier: Apache-2.0
#include "netns/engine_netns.h"

#include <fcntl.h>

#include "netns/enter.h"
#include "netns/links.h"
#include "netns/transparent.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::netns {

namespace {

void write_engine_sysctls(const Namespace& engine) {
  write_net_sysctl("ipv4/ip_forward", "1");
  // A SYN that is to be forwarded and finds a socket in TIME_WAIT would be dropped by ip_forward.
  write_net_sysctl("ipv4/tcp_early_demux", "0");
  // With br_netfilter a new namespace starts with bridges that ask the packet filter about each frame;
  // between containers of one network there is nothing to ask.
  for (const char* name : {"bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables",
                           "bridge/bridge-nf-call-arptables"})
    write_net_sysctl(name, "0");
  if (!engine.ipv6) return;
  write_net_sysctl("ipv6/conf/all/forwarding", "1");
  // Of interfaces to come, as the way out: neighbours are asked for from a link-local address, which would be
  // on probation for a second.
  write_net_sysctl("ipv6/conf/default/accept_dad", "0");
}

std::string read_net_sysctl(const std::string& name) {
  const std::string text = sys::read_file_if_exists(AT_FDCWD, "/proc/sys/net/" + name).value_or("");
  return text.substr(0, text.find('\n'));
}

// accept_ra: 1 means only where the host does not forward, 2 means also there (Documentation/networking,
// ip-sysctl).
void forward_ipv6_as_host() {
  if (read_net_sysctl("ipv6/conf/all/forwarding") != "0") return;
  for (const std::string& interface : sys::list_directory(AT_FDCWD, "/proc/sys/net/ipv6/conf")) {
    const std::string accept_ra = concat("ipv6/conf/", interface, "/accept_ra");
    if (interface != "all" && read_net_sysctl(accept_ra) == "1") write_net_sysctl(accept_ra, "2");
  }
  write_net_sysctl("ipv6/conf/all/forwarding", "1");
}

}  // namespace

Firewall apply_engine_netns(Namespace& engine, const std::string& way_out, std::span<const Bridge> bridges) {
  in_network_namespace(engine.fd, [&] { write_engine_sysctls(engine); });
  change_link(engine.route, loopback_index, {.up = true}, "setting up the engine's loopback interface");
  apply_transparent_replies(engine);
  return apply_firewall(engine.filter, {way_out, true, bridges});
}

Firewall apply_host_netns(Namespace& host, std::span<const Bridge> bridges, bool ipv6) {
  in_network_namespace(host.fd, [&] {
    write_net_sysctl("ipv4/ip_forward", "1");
    if (ipv6 && host.ipv6) forward_ipv6_as_host();
  });
  return apply_firewall(host.filter, {{}, false, bridges});
}

}  // namespace knarr::netns
