// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/bind.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <string>
#include <utility>

#include "netns/forward/descriptor_limit.h"
#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"

namespace knarr::netns::forward {
namespace {

constexpr int backlog = 4096;  // cut to net.core.somaxconn by the kernel
// Tries to find free ports: the kernel knows one that is free in one family.
constexpr int max_searches = 64;
constexpr unsigned last_port = 65535;
constexpr const char* first_unprivileged_port = "net.ipv4.ip_unprivileged_port_start";

std::string describe(const HostPorts& ports, unsigned port) {
  return concat("publishing port ", port, ports.transport == Transport::tcp ? "/tcp on " : "/udp on ",
                ports.address ? render_ip(*ports.address) : "all addresses");
}

[[noreturn]] void throw_bind_error(const HostPorts& ports, unsigned port, int code) {
  SysError error(code, describe(ports, port));
  if (code == EACCES) {
    error.set_hint(concat("root can let users have this port: sysctl ", first_unprivileged_port, "=", port));
  } else if (code == EADDRNOTAVAIL) {
    error.set_hint("publish on an address that this host has, or on all of them");
  }
  throw error;
}

void set_flag(int fd, int level, int option) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) < 0) throw_errno("preparing a port's socket");
}

void prepare_tcp(int fd) {
  // A container that ended may have left connections in TIME_WAIT. With UDP this would share the port.
  set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
  // What is accepted inherits these. The forwarder passes on what it gets at once; and as the server's probes
  // end at the forwarder, it has to find out itself that a client is gone.
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  set_flag(fd, SOL_SOCKET, SO_KEEPALIVE);
}

// Answers leave from the very address that the client has sent to.
void prepare_udp(int fd, Family family) {
  if (family == Family::v4) {
    set_flag(fd, IPPROTO_IP, IP_PKTINFO);
  } else {
    set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  }
}

// The errno; 0 when it worked.
int try_bind(const HostPorts& ports, const Peer& place, std::vector<BoundPort>& bound) {
  const int type = ports.transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
  const Family family = place.address.family;
  sys::UniqueFd fd(::socket(domain_of(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  if (family == Family::v6) set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (ports.transport == Transport::tcp) prepare_tcp(fd.get());
  if (ports.transport == Transport::udp) prepare_udp(fd.get(), family);
  const SocketAddress address = to_socket_address(place);
  if (::bind(fd.get(), &address.any, address.size()) < 0) return errno;
  if (ports.transport == Transport::tcp && ::listen(fd.get(), backlog) < 0) return errno;
  const std::uint16_t port = place.port != 0 ? place.port : local_end(fd.get()).port;
  bound.push_back({port, std::move(fd)});
  return 0;
}

// One port in all families asked for; with port 0 the kernel's choice for the first one.
int try_port(const HostPorts& ports, std::uint16_t port, std::vector<BoundPort>& bound) {
  if (ports.address) return try_bind(ports, {*ports.address, port}, bound);
  const int error = try_bind(ports, {{.family = Family::v4}, port}, bound);
  if (error != 0) return error;
  const int v6_error = try_bind(ports, {{.family = Family::v6}, bound.back().port}, bound);
  return v6_error == EAFNOSUPPORT ? 0 : v6_error;
}

// The port that failed and why; {0, 0} when all are bound.
std::pair<unsigned, int> try_range(const HostPorts& ports, std::uint16_t first,
                                   std::vector<BoundPort>& bound) {
  for (unsigned i = 0, port = first; i < ports.count; ++i, ++port) {
    if (port > last_port) return {port, ERANGE};
    if (const int error = try_port(ports, static_cast<std::uint16_t>(port), bound)) return {port, error};
    if (i == 0) port = bound.front().port;
  }
  return {0, 0};
}

std::vector<BoundPort> find_free(const HostPorts& ports) {
  std::pair<unsigned, int> failed;
  for (int i = 0; i < max_searches; ++i) {
    std::vector<BoundPort> bound;
    failed = try_range(ports, 0, bound);
    if (failed.second == 0) return bound;
    if (failed.second != EADDRINUSE && failed.second != ERANGE && failed.second != EACCES) break;
  }
  if (failed.second == ERANGE) failed.second = EADDRINUSE;
  throw_bind_error(ports, failed.first, failed.second);
}

}  // namespace

std::vector<BoundPort> bind_ports(const HostPorts& wanted) {
  HostPorts ports = wanted;
  if (ports.address) ports.address = unmap(*ports.address);
  const RaisedDescriptorLimit limit;
  if (ports.first == 0) return find_free(ports);
  std::vector<BoundPort> bound;
  const auto [port, error] = try_range(ports, ports.first, bound);
  if (error != 0) throw_bind_error(ports, port, error);
  return bound;
}

}  // namespace knarr::netns::forward
