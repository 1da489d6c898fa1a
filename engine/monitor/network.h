// SPDX-License-Identifier: Apache-2.0
// A container's part in networks, from the start of its monitor to the end: RN with its bridges, the
// container's interfaces, its published ports, netd.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/init/plan.h"
#include "engine/network/engine_netns.h"
#include "netns/forward/forwarder.h"
#include "netns/network_plan.h"
#include "rootless/sys/error.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

struct Plan;

struct PublishedPort {
  netns::forward::Transport transport = netns::forward::Transport::tcp;
  std::uint16_t container_port = 0;
};

// In the run directory, lines "tcp CONTAINERPORT DESCRIPTOR": the monitor's sockets of published ports. A
// restart takes them over (pidfd_getfd(2)).
constexpr const char* port_sockets_name = "ports";

// Plain data in the launch arena.
struct NetworkPlan {
  const char* run_root = nullptr;
  bool rootful = false;
  init::Span<netns::Link> links;  // each with its bridge
  // Of each link the name of its network where netd answers questions, else empty; and that program.
  init::Span<const char*> dns_networks;
  const char* netd = nullptr;
  // The sockets are Plan::received, one of each.
  init::Span<PublishedPort> ports;
  netns::forward::Target target;
};

// What went wrong when the networks were set up, in words.
struct NetworkFailure {
  Error error;
};

class ContainerNetwork {
 public:
  // RN and the bridges; nothing of it needs the container. Throws NetworkFailure.
  explicit ContainerNetwork(const Plan& plan);
  // Gives leases and names back. Interfaces vanish with the container's network namespace.
  ~ContainerNetwork();
  ContainerNetwork(const ContainerNetwork&) = delete;
  ContainerNetwork& operator=(const ContainerNetwork&) = delete;

  // The container's interfaces and ports, while its first process is there and does not run yet; the
  // container's network namespace comes through the socket. Throws NetworkFailure.
  void connect(int netns_socket);

  // Closes what only set-up needed, once the container runs: the kernel makes who closes a socket of
  // nf_tables wait until all processors have seen the change of its rules, 10 ms and more.
  void settle();

  // The container was connected to a network or disconnected: its ports lead where it is now. What had its
  // connections there is reset.
  void follow_record();

 private:
  void hold_bridges();
  void publish_ports(netns::Namespace& container);
  void serve_names();

  const Plan& plan_;
  const NetworkPlan& network_;
  const NetworkPlace place_;
  sys::UniqueFd engine_netns_;  // held for as long as the container lives
  // During set-up, and until settle().
  std::unique_ptr<netns::Namespace> engine_, container_;
  sys::UniqueFd container_netns_;
  netns::forward::Target target_;
  std::optional<netns::forward::Forwarder> forwarder_;
};

}  // namespace knarr::engine::monitor
