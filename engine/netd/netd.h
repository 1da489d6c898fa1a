// SPDX-License-Identifier: Apache-2.0
// The process: serves names, takes networks over from who starts containers, and leaves when the last
// container has.
#pragma once

#include <string>
#include <vector>

#include "engine/netd/dns_server.h"
#include "engine/netd/start.h"
#include "netns/namespace.h"

namespace knarr::engine::netd {

// The descriptors of control.h are open. `directory` is RUN/net.
class Netd {
 public:
  Netd(std::string directory, std::vector<DnsSockets> networks);

  // Watches the child that keeps the way out.
  void watch_way_out(pid_t pid);
  void run() { loop_.run(); }

 private:
  void open_missing_sockets();
  void watch_links();
  void links_changed();
  void look_for_containers();
  bool has_containers();
  void accept_message();
  void take_message(int socket_fd);
  void take_over(const std::string& network, std::vector<sys::UniqueFd> descriptors);

  const std::string directory_;
  EventLoop loop_;
  NameFiles files_;
  DnsServer server_;
  netns::Namespace engine_;
  sys::UniqueFd links_, way_out_;
  EventLoop::Timer look_ = 0;
};

}  // namespace knarr::engine::netd
