// SPDX-License-Identifier: Apache-2.0
// Queries passed on to servers outside, from the host's network namespace. Each has a socket of its own, so a
// random port and an id nobody else can know; answers pass as the bytes they are.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "engine/netd/event_loop.h"
#include "engine/netd/message.h"
#include "netns/forward/socket_address.h"

namespace knarr::engine::netd {

struct ForwardedQuery {
  netns::IpAddress asker;
  Bytes bytes;
  Query query;
  std::vector<netns::forward::SocketAddress> servers;  // asked one after another
  std::function<void(Bytes)> reply;                    // called once, but not after the forwarder's end
};

class Forwarder {
 public:
  explicit Forwarder(EventLoop& loop);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  void ask_by_datagram(ForwardedQuery query);
  void ask_by_stream(ForwardedQuery query);

 private:
  class Exchange;
  class DatagramExchange;
  class StreamExchange;
  void start(std::unique_ptr<Exchange> exchange);
  void make_room(const netns::IpAddress& asker);
  void remove(Exchange* exchange);

  EventLoop& loop_;
  std::list<std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace knarr::engine::netd
