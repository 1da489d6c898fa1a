// SPDX-License-Identifier: Apache-2.0
// Sockets that speak to a container with its client's address. Called in the namespace they are for, by a
// thread with CAP_NET_ADMIN over it.
#pragma once

#include "netns/forward/target.h"

namespace knarr::netns::forward {

// A non-blocking TCP socket that may have any source address and whose packets are marked. -1 with errno.
int open_upstream(Family family);

// Starts to connect `fd`; with EADDRNOTAVAIL or EADDRINUSE it is of no use any more, see any_port(). The
// errno; 0: connected or under way.
int connect_upstream(int fd, const Peer& source, const Peer& destination);

// A non-blocking UDP socket from here to there. -1 with errno.
int open_flow(const Peer& source, const Peer& destination);

// The source to take when another connection has the client's port: the address is what matters.
inline Peer any_port(Peer source) {
  source.port = 0;
  return source;
}

}  // namespace knarr::netns::forward
