// SPDX-License-Identifier: Apache-2.0
// Addresses as socket calls take and give them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "netns/forward/target.h"

namespace knarr::netns::forward {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;

  socklen_t size() const { return any.sa_family == AF_INET ? sizeof v4 : sizeof v6; }
};

SocketAddress to_socket_address(const Peer& peer);
Peer to_peer(const SocketAddress& address);
// getsockname(2). Throws SysError.
Peer local_end(int socket_fd);

}  // namespace knarr::netns::forward
