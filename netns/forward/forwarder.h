// SPDX-License-Identifier: Apache-2.0
// Published ports of one container: a thread of its monitor that lives in the container's network namespace
// while the rest of the process stays in the host's.
//
// What follows for the process: the thread allocates nothing by malloc, lets no exception out, takes no
// signals and never forks, so that the process may fork and clone beside it as one with a single thread may;
// but calls that demand a single thread (setns(2) and unshare(2) into user namespaces,
// sys::require_single_thread) come before start or after the end. All functions are for one thread: the
// process's own. The descriptors that ports keep are the process's; connections keep two each, and four while
// they move much, so the soft limit of descriptors is raised to the hard one: start it after the container's
// init, which would inherit that.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "netns/forward/target.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::netns::forward {

struct PublishedPort {
  Transport transport = Transport::tcp;
  std::uint16_t container_port = 0;
  sys::UniqueFd socket;  // as bind_ports made it
};

struct Command;
struct Listener;
class Loop;

class Forwarder {
 public:
  // The namespaces are only needed for the call. Replies to UDP go through the engine's, which routes them to
  // the container; with -1, for a container without a network, UDP is connected inside, on the loopback.
  // Needs CAP_SYS_ADMIN and CAP_NET_ADMIN over both. Throws SysError.
  Forwarder(int container_netns_fd, int engine_netns_fd, const Target& target);
  ~Forwarder();  // end(0)
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Clients are served from now on; those that came before wait in the socket's queue.
  void publish(PublishedPort port);
  // Closes the host's port. TCP connections through it go on, UDP flows end.
  void withdraw(int socket_fd);
  // What is published; the sockets can be handed to another process.
  const std::vector<PublishedPort>& ports() const { return ports_; }

  // For what is new from now on; established TCP connections go on. UDP flows move.
  void retarget(const Target& target);
  // An address the container has no more: its connections are reset.
  void reset_connections_to(const IpAddress& address);

  // The container is dead. The ports are closed, connections it left open are reset; what it had sent before
  // it ended is delivered, for which slow clients have `grace_ms`.
  void end(int grace_ms);

 private:
  int ask(const Command& command);
  void tell(const Command& command, const char* act);

  std::unique_ptr<Loop> loop_;
  sys::UniqueFd control_;
  pthread_t thread_{};
  std::vector<PublishedPort> ports_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // of ports_, in the same order; the thread knows them
};

}  // namespace knarr::netns::forward
