// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/socket_address.h"

#include <cstring>

#include "rootless/sys/error.h"

namespace knarr::netns::forward {

SocketAddress to_socket_address(const Peer& peer) {
  SocketAddress address;
  std::memset(&address, 0, sizeof address);
  if (peer.address.family == Family::v4) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(peer.port);
    std::memcpy(&address.v4.sin_addr, peer.address.bytes.data(), 4);
  } else {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(peer.port);
    std::memcpy(&address.v6.sin6_addr, peer.address.bytes.data(), 16);
  }
  return address;
}

Peer to_peer(const SocketAddress& address) {
  Peer peer;
  if (address.any.sa_family == AF_INET) {
    peer.port = ntohs(address.v4.sin_port);
    std::memcpy(peer.address.bytes.data(), &address.v4.sin_addr, 4);
  } else {
    peer.address.family = Family::v6;
    peer.port = ntohs(address.v6.sin6_port);
    std::memcpy(peer.address.bytes.data(), &address.v6.sin6_addr, 16);
  }
  return peer;
}

Peer local_end(int socket_fd) {
  SocketAddress address;
  socklen_t size = sizeof address;
  if (::getsockname(socket_fd, &address.any, &size) < 0) throw_errno("reading a socket's address");
  return to_peer(address);
}

}  // namespace knarr::netns::forward
