// SPDX-License-Identifier: Apache-2.0
// Datagrams, many per call: several messages at once (recvmmsg(2)), and trains of equal datagrams as one
// message (UDP_GRO, UDP_SEGMENT; udp(7)), which the network stack walks through once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "netns/forward/socket_address.h"

namespace knarr::netns::forward {

// Which of this host's addresses a datagram was sent to, or is sent from.
struct LocalAddress {
  IpAddress address;
  unsigned interface = 0;  // only where the address means nothing without
  bool operator==(const LocalAddress&) const = default;
};

struct Datagram {
  SocketAddress sender;
  LocalAddress local;  // if the socket was asked to tell (IP_PKTINFO)
  char* bytes = nullptr;
  std::uint32_t size = 0;
  std::uint16_t segment = 0;  // a train of datagrams of this size, the last may be shorter; 0: one datagram
};

// What a call can take in.
class DatagramBatch {
 public:
  static constexpr int capacity = 16;

  DatagramBatch() = default;
  ~DatagramBatch() { release(); }
  DatagramBatch(const DatagramBatch&) = delete;
  DatagramBatch& operator=(const DatagramBatch&) = delete;

  // How many came; 0: none now, or no memory.
  int receive(int socket_fd);
  Datagram& operator[](int index) { return datagrams_[index]; }
  void release();

 private:
  static constexpr std::size_t datagram_size = 65536;

  char* buffer_ = nullptr;
  Datagram datagrams_[capacity];
};

// Where to; a connected socket needs nothing of this.
struct Destination {
  const SocketAddress* receiver = nullptr;
  const LocalAddress* sender = nullptr;
};

// Sends them in order; what the network does not take is lost, as datagrams are. `trains`: equal ones may
// travel as one message; cleared when this way does not take them.
void send_datagrams(int socket_fd, const Datagram* datagrams, int count, const Destination& destination,
                    bool& trains);

}  // namespace knarr::netns::forward
