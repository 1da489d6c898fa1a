// SPDX-License-Identifier: Apache-2.0
// Published TCP ports: takes connections in the host's namespace and goes on in the container's, from the
// client's own address (netns/transparent.h). Part of the forwarder's thread: nothing here throws.
#pragma once

#include <cstdint>

#include "netns/forward/events.h"
#include "netns/forward/pool.h"
#include "netns/forward/relay.h"
#include "netns/forward/target.h"

namespace knarr::netns::forward {

struct alignas(source_alignment) Connection {
  Links<Connection> links;
  Connection* next_waiting = nullptr;  // for its next turn
  Connection* next_dead = nullptr;
  Side client, upstream;
  Direction request, answer;  // to the container, from it
  IpAddress address;          // the container's
  bool connecting = true;
  bool request_refused = false;  // the container takes no more, but may have answered
  bool dead = false;
  bool has_turn_coming = false;
};

class TcpForwarder {
 public:
  explicit TcpForwarder(EventSet& events) : events_(events) {}
  ~TcpForwarder();
  TcpForwarder(const TcpForwarder&) = delete;
  TcpForwarder& operator=(const TcpForwarder&) = delete;

  // The listener stays the caller's. An errno, or 0.
  int add(Listener& listener);
  void remove(Listener& listener);  // its connections go on
  // For new connections.
  void set_target(const Target& target);
  // Resets the connections to an address that the container has no more.
  void reset_connections_to(const IpAddress& address);

  void accept_from(Listener& listener);
  void handle_client(Connection& connection, std::uint32_t events);
  void handle_upstream(Connection& connection, std::uint32_t events);
  // Ends a round of events: who had more than its share goes on, what died is freed.
  void finish_round();
  // How long the next round may wait for events; -1: for ever.
  int timeout_ms() const;

  // The container is dead: of each connection the end is here, or behind what it had sent before. Only that
  // is still delivered.
  void end_with_container();
  // Connections that neither ended nor wait for their client: somebody else holds them open.
  void reset_quiet();
  void reset_all();

  bool idle() const { return alive_.empty(); }
  void release_memory();  // what nobody uses

 private:
  bool accept_one(Listener& listener);
  int upstream_socket(Family family);
  void start(Connection& connection, const Peer& client, const Endpoint& endpoint, std::uint16_t port);
  bool greet(Connection& connection);
  void pause_listening();
  void resume_listening();

  void run(Connection& connection);
  Progress run_request(Connection& connection);
  void refuse_request(Connection& connection);
  void watch_for_room(Side& side, Connection& connection, Source source);
  void give_turn(Connection& connection);

  void finish(Connection& connection);
  void reset(Connection& connection);
  void bury(Connection& connection);

  EventSet& events_;
  Target target_;
  Listener* listeners_ = nullptr;
  std::int64_t resume_at_ms_ = 0;     // there were no descriptors or no memory; 0: listening
  int spare_upstream_[2] = {-1, -1};  // by family
  Pool<Connection> connections_;
  List<Connection> alive_;
  Connection* waiting_ = nullptr;
  Connection* dead_ = nullptr;
  RelayMemory memory_;
};

}  // namespace knarr::netns::forward
