// SPDX-License-Identifier: Apache-2.0
// The forwarder's thread: waits for events and commands. Nothing here throws.
#pragma once

#include <sys/types.h>

#include "netns/forward/events.h"
#include "netns/forward/target.h"
#include "netns/forward/tcp_forwarder.h"
#include "netns/forward/udp_forwarder.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::netns::forward {

// From the process to its thread, as a datagram; the answer is an errno, or 0.
struct Command {
  enum class Kind : std::uint8_t { publish, withdraw, retarget, reset_connections, end };
  Kind kind;
  Transport transport = Transport::tcp;
  Listener* listener = nullptr;
  Target target{};
  IpAddress address{};
  int grace_ms = 0;
};

class Loop {
 public:
  // Made by the process. `container` and `engine` are network namespaces; the latter may be missing.
  Loop(sys::UniqueFd container, sys::UniqueFd engine, sys::UniqueFd control, const Target& target);

  // The thread: enters the container's namespace, says so (an errno) and works until it is told to end.
  void run();
  pid_t thread_id() const { return thread_id_; }  // once it has said that it entered

 private:
  int begin();
  int wait(epoll_event* events);
  void set_target(const Target& target);
  void dispatch(const epoll_event& event);
  void take_command();
  int obey(const Command& command);
  void answer(int error);
  int timeout_ms() const;
  bool over() const;
  void release_idle_memory();

  sys::UniqueFd container_, engine_, control_;
  pid_t thread_id_ = 0;
  EventSet events_;
  TcpForwarder tcp_;
  UdpForwarder udp_;
  bool ending_ = false;
  std::int64_t deadline_ms_ = 0;
  bool holds_memory_ = false;
};

}  // namespace knarr::netns::forward
