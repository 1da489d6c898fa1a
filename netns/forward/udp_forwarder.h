// SPDX-License-Identifier: Apache-2.0
// Published UDP ports. What one client sends to one port is a flow; it has a socket in the engine's network
// namespace, bound to the client's address and connected to the container's, so that the server sees the
// client. The server's answers, addressed to the client, are led back to that socket by the engine's table
// (`socket transparent`). Part of the forwarder's thread: nothing here throws.
#pragma once

#include <cstdint>

#include "netns/forward/datagrams.h"
#include "netns/forward/events.h"
#include "netns/forward/pool.h"
#include "netns/forward/target.h"

namespace knarr::netns::forward {

struct alignas(source_alignment) Flow {
  Links<Flow> links;
  Flow* next_in_bucket = nullptr;
  Flow* next_dead = nullptr;
  Listener* listener = nullptr;
  int fd = -1;
  SocketAddress client_address;
  Peer client;
  LocalAddress local;  // of the host: what the client sends to, and hears from
  std::int64_t used_ms = 0;
  bool answered = false;
  bool dead = false;
  bool trains_in = true, trains_out = true;
};

class UdpForwarder {
 public:
  // The namespaces' descriptors; the thread is in the container's. `engine_fd` may be -1.
  UdpForwarder(EventSet& events, int container_fd, int engine_fd)
      : events_(events), container_fd_(container_fd), engine_fd_(engine_fd) {}
  ~UdpForwarder();
  UdpForwarder(const UdpForwarder&) = delete;
  UdpForwarder& operator=(const UdpForwarder&) = delete;

  // The listener stays the caller's. An errno, or 0.
  int add(Listener& listener);
  void remove(Listener& listener);  // ends its flows
  // Ends all flows: the next datagram of each goes to the new address.
  void set_target(const Target& target);

  void take_requests(Listener& listener);
  void take_answers(Flow& flow);
  // Ends a round of events: flows that were silent for too long are over, what died is freed.
  void finish_round();
  // How long the next round may wait for events; -1: for ever.
  int timeout_ms() const;
  void release_memory();

 private:
  static constexpr std::size_t bucket_count = 512;
  struct Key {
    const Listener& listener;
    Peer client;
    const LocalAddress& local;
  };

  Flow* find(const Key& key);
  Flow*& bucket_of(const Peer& client);
  Flow* open(const Key& key, const SocketAddress& client_address);
  int open_socket(const Key& key, const Endpoint& endpoint);
  bool has_twin(const Key& key);
  void touch(Flow& flow);
  bool end_oldest();
  void end(Flow& flow);
  template <typename Which>
  void end_all(const Which& which);

  EventSet& events_;
  const int container_fd_, engine_fd_;
  Target target_;
  Pool<Flow> flows_;
  List<Flow> one_way_, answered_;  // the latest first
  Flow* buckets_[bucket_count] = {};
  Flow* dead_ = nullptr;
  DatagramBatch batch_;
};

}  // namespace knarr::netns::forward
