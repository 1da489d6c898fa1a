// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/upstream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "netns/forward/socket_address.h"
#include "netns/transparent.h"

namespace knarr::netns::forward {
namespace {

bool set_option(int fd, int level, int option, int value = 1) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// A client may speak to two published ports, or containers, from one port of its own.
bool allow_any_source(int fd, Family family) {
  const bool transparent = family == Family::v4 ? set_option(fd, IPPROTO_IP, IP_TRANSPARENT)
                                                : set_option(fd, IPPROTO_IPV6, IPV6_TRANSPARENT);
  return transparent && set_option(fd, SOL_SOCKET, SO_REUSEADDR);
}

// This hop never leaves the machine. What paces packets for the sake of a network (bbr, where it is the
// default) takes a third of the throughput here.
void choose_plain_congestion_control(int fd) {
  constexpr char name[] = "reno";  // in every kernel
  ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof name - 1);
}

int close_failed(int fd) {
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

int open_upstream(Family family) {
  const int fd = ::socket(domain_of(family), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const bool ready = allow_any_source(fd, family) && set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
                     set_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(transparent_mark));
  if (!ready) return close_failed(fd);
  choose_plain_congestion_control(fd);
  return fd;
}

int connect_upstream(int fd, const Peer& source, const Peer& destination) {
  // Without a port given the kernel takes one that is free for this destination.
  if (source.port == 0) set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const SocketAddress from = to_socket_address(source), to = to_socket_address(destination);
  if (::bind(fd, &from.any, from.size()) < 0) return errno;
  if (::connect(fd, &to.any, to.size()) < 0 && errno != EINPROGRESS) return errno;
  return 0;
}

int open_flow(const Peer& source, const Peer& destination) {
  const Family family = destination.address.family;
  const int fd = ::socket(domain_of(family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const SocketAddress from = to_socket_address(source), to = to_socket_address(destination);
  const bool ready = allow_any_source(fd, family) && ::bind(fd, &from.any, from.size()) == 0 &&
                     ::connect(fd, &to.any, to.size()) == 0;
  return ready ? fd : close_failed(fd);
}

}  // namespace knarr::netns::forward
