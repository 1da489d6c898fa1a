// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/network.h"

#include "engine/monitor/exit.h"
#include "engine/monitor/plan.h"
#include "engine/netd/way_out.h"
#include "engine/network/attach.h"
#include "engine/network/leases.h"
#include "engine/network/name_server.h"
#include "netns/enter.h"
#include "netns/link.h"
#include "netns/transparent.h"
#include "rootless/sys/file.h"
#include "rootless/sys/socket.h"

namespace knarr::engine::monitor {

namespace {

// What a container has sent before it ended still gets to slow clients for so long.
constexpr int grace_ms = 1000;

// The words are for the user, who waits for the start: they go along as they are.
template <typename Act>
void in_words(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    throw NetworkFailure{error};
  }
}

}  // namespace

ContainerNetwork::ContainerNetwork(const Plan& plan)
    : plan_(plan),
      network_(*plan.network),
      place_{network_.run_root, network_.rootful},
      target_(network_.target) {
  if (network_.links.size != 0) in_words([&] { hold_bridges(); });
}

ContainerNetwork::~ContainerNetwork() {
  // Not closed here, where somebody waits for the exit: see settle().
  [[maybe_unused]] const auto* const engine = engine_.release();
  [[maybe_unused]] const auto* const container = container_.release();
  if (forwarder_) forwarder_->end(grace_ms);
  try {
    const auto record = read_network_record(plan_.run_directory);
    if (record) release_all(network_.run_root, *record, plan_.container_id);
  } catch (const std::exception& error) {
    note_trouble(plan_, error.what());
  }
}

void ContainerNetwork::hold_bridges() {
  const sys::Lock lock = lock_networks(place_);
  engine_netns_ = hold_engine_netns(place_);
  engine_ =
      std::make_unique<netns::Namespace>(netns::open_namespace(engine_netns_.get(), netns::Filtering::yes));
  for (const netns::Link& link : network_.links) apply_network(place_, *engine_, *link.bridge);
  init::mark(plan_.trace, "monitor", "set up the bridges");
}

void ContainerNetwork::connect(int netns_socket) {
  in_words([&] {
    container_netns_ = sys::receive_descriptor(netns_socket);
    if (!container_netns_) throw Error("the container's first process has not told its network namespace");
    container_ = std::make_unique<netns::Namespace>(netns::open_container_namespace(container_netns_.get()));
    netns::Namespace& container = *container_;
    init::mark(plan_.trace, "monitor", "opened the container's network namespace");
    for (const netns::Link& link : network_.links) netns::apply_link(*engine_, container, link);
    init::mark(plan_.trace, "monitor", "made the container's interfaces");
    if (!network_.rootful && network_.links.size != 0)
      netns::in_network_namespace(container.fd,
                                  [] { netns::write_net_sysctl("ipv4/tcp_wmem", pasta_tcp_wmem); });
    if (network_.netd != nullptr) serve_names();
    init::mark(plan_.trace, "monitor", "saw to it that names are served");
    if (network_.ports.size != 0) publish_ports(container);
  });
}

void ContainerNetwork::settle() {
  engine_.reset();
  container_.reset();
  container_netns_.reset();
}

void ContainerNetwork::publish_ports(netns::Namespace& container) {
  netns::apply_transparent_replies(container);
  forwarder_.emplace(container.fd, engine_netns_.get(), target_);
  std::string sockets;
  for (std::uint32_t i = 0; i < network_.ports.size; ++i) {
    const auto& [transport, container_port] = network_.ports[i];
    const int socket = plan_.received[i];
    const bool udp = transport == netns::forward::Transport::udp;
    sockets += concat(udp ? "udp " : "tcp ", container_port, " ", socket, "\n");
    forwarder_->publish({transport, container_port, sys::UniqueFd(socket)});
  }
  sys::replace_file(AT_FDCWD, concat(plan_.run_directory, "/", port_sockets_name), sockets, 0600,
                    sys::Durability::none);
}

// After the links are there: netd leaves when it finds none.
void ContainerNetwork::serve_names() {
  std::vector<NamedNetwork> networks;
  for (std::uint32_t i = 0; i < network_.links.size; ++i) {
    if (*network_.dns_networks[i] == '\0') continue;
    NamedNetwork& network = networks.emplace_back(NamedNetwork{network_.dns_networks[i], {}});
    const netns::Bridge& bridge = *network_.links[i].bridge;
    for (int a = 0; a < bridge.address_count; ++a) network.gateways.push_back(bridge.addresses[a].address);
  }
  const sys::Lock lock = lock_networks(place_);
  ensure_name_server(place_, network_.netd, engine_netns_.get(), networks);
}

void ContainerNetwork::follow_record() {
  const auto record = forwarder_ ? read_network_record(plan_.run_directory) : std::nullopt;
  if (!record) return;
  const netns::forward::Target target = forward_target(record->networks);
  for (const auto& [before, now] : {std::pair(target_.v4, target.v4), std::pair(target_.v6, target.v6)}) {
    if (before && before != now) forwarder_->reset_connections_to(before->address);
  }
  forwarder_->retarget(target);
  target_ = target;
}

}  // namespace knarr::engine::monitor
