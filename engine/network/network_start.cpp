// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network_start.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "engine/helpers.h"
#include "engine/live_container.h"
#include "engine/netd/way_out.h"
#include "engine/network/attach.h"
#include "engine/network/engine_netns.h"
#include "engine/network/leases.h"
#include "engine/network/plan_attachments.h"
#include "engine/network/port_owner.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

netns::forward::Transport transport_of(PortProtocol protocol) {
  return protocol == PortProtocol::udp ? netns::forward::Transport::udp : netns::forward::Transport::tcp;
}

std::vector<netns::forward::BoundPort> bind(const Engine& engine, const PortMapping& mapping) {
  try {
    return netns::forward::bind_ports({.address = mapping.host_address,
                                       .first = mapping.host_port,
                                       .count = mapping.count,
                                       .transport = transport_of(mapping.protocol)});
  } catch (const SysError& error) {
    if (error.code() != EADDRINUSE) throw;
    const auto owner = find_port_owner(engine, mapping);
    if (!owner) throw;
    throw Conflict(concat(error.message(), ": container ", *owner, " publishes it"));
  }
}

}  // namespace

bool has_networks(const ContainerConfig& config) {
  return !config.networks.empty() || !config.ports.empty();
}

// --- ports that outlive a run ---

namespace {

// "tcp 80 12": a line of the monitor's file of sockets (monitor/network.cpp).
std::optional<HeldPorts::Port> take_held_port(std::string_view line, int monitor) {
  const std::vector<std::string> words = split(line, ' ');
  const auto port = words.size() == 3 ? parse_unsigned(words[1], 65535) : std::nullopt;
  const auto number = words.size() == 3 ? parse_unsigned(words[2], INT_MAX) : std::nullopt;
  if (!port || !number) return std::nullopt;
  sys::UniqueFd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, monitor, static_cast<int>(*number), 0)));
  if (!socket) return std::nullopt;
  const PortProtocol protocol = words[0] == "udp" ? PortProtocol::udp : PortProtocol::tcp;
  return HeldPorts::Port{transport_of(protocol), static_cast<std::uint16_t>(*port), std::move(socket)};
}

}  // namespace

HeldPorts hold_ports(const Engine& engine, const std::string& container_id) {
  const std::string run_directory = engine.run_directory(container_id);
  const auto live = LiveContainer::find(run_directory);
  auto record = read_network_record(run_directory);
  const auto lines =
      sys::read_file_if_exists(AT_FDCWD, concat(run_directory, "/", monitor::port_sockets_name));
  if (!live || !record || !lines) return {};
  const sys::UniqueFd monitor = sys::open_process(live->pids().monitor);
  HeldPorts held{.wanted = std::move(record->ports), .ports = {}};
  for (const std::string& line : split(*lines, '\n')) {
    if (line.empty()) continue;
    auto port = take_held_port(line, monitor.get());
    // Not all of them: then the next run binds anew.
    if (!port) return {};
    held.ports.push_back(std::move(*port));
  }
  return held;
}

bool NetworkStart::take_held_ports(HeldPorts held) {
  std::vector<PortMapping> wanted = config_.ports;
  if (held.ports.empty() || wanted.size() != held.wanted.size()) return false;
  // One that was chosen stays.
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].host_port == 0) wanted[i].host_port = held.wanted[i].host_port;
  }
  if (wanted != held.wanted) return false;
  ports_ = std::move(held.ports);
  record_.ports = std::move(wanted);
  return true;
}

NetworkStart::NetworkStart(const Engine& engine, const ContainerConfig& config, const sys::ProcessId& monitor,
                           HeldPorts held)
    : engine_(engine), config_(config), monitor_(monitor) {
  try {
    for (const NetworkAttachment& wish : config.networks)
      networks_.push_back(engine.networks().get(wish.network));
    if (!take_held_ports(std::move(held))) take_ports();
    take_addresses();
    publish();
  } catch (...) {
    give_back();
    throw;
  }
}

NetworkStart::~NetworkStart() {
  if (give_back_) give_back();
}

void NetworkStart::succeeded() {
  give_back_ = false;
  const bool rootful = engine_.host().rootful;
  const bool outward = std::any_of(networks_.begin(), networks_.end(),
                                   [](const Network& network) { return !network.internal; });
  if (outward && !rootful && !is_way_out_installed()) {
    engine_.warn_once("way-out",
                      "containers cannot reach the outside: neither pasta (package passt) nor slirp4netns is "
                      "installed");
  }
  if (networks_.empty()) return;
  for (const std::string& lack : read_network_lacks({engine_.paths().run_root, rootful}))
    engine_.warn_once("networks", lack);
}

void NetworkStart::take_ports() {
  for (PortMapping mapping : config_.ports) {
    std::vector<netns::forward::BoundPort> bound = bind(engine_, mapping);
    mapping.host_port = bound.front().port;
    for (netns::forward::BoundPort& one : bound) {
      const int offset = one.port - mapping.host_port;
      ports_.push_back({transport_of(mapping.protocol),
                        static_cast<std::uint16_t>(mapping.container_port + offset), std::move(one.socket)});
    }
    record_.ports.push_back(mapping);
  }
}

void NetworkStart::take_addresses() {
  for (std::size_t i = 0; i < networks_.size(); ++i) {
    record_.networks.push_back(
        take_attachment(engine_, config_, config_.networks[i], networks_[i], monitor_, record_.networks));
  }
  for (const std::string& server : config_.dns_servers) {
    if (const auto address = netns::parse_ip(server)) record_.dns_servers.push_back(*address);
  }
}

void NetworkStart::publish() {
  for (std::size_t i = 0; i < networks_.size(); ++i)
    publish_attachment(engine_, networks_[i], record_.networks[i], config_.id, monitor_);
}

void NetworkStart::give_back() noexcept {
  try {
    release_all(engine_.paths().run_root, record_, config_.id);
  } catch (const std::exception&) {
    // What is left is a dead monitor's, and so free.
  }
}

NetworkNames NetworkStart::names() const {
  return {.networks = record_.networks, .host = host_address(engine_, networks_)};
}

void NetworkStart::write_record() const {
  if (has_networks(config_)) write_network_record(engine_.run_directory(config_.id), record_);
}

std::vector<int> NetworkStart::descriptors() const {
  std::vector<int> numbers;
  for (const HeldPorts::Port& port : ports_) numbers.push_back(port.socket.get());
  return numbers;
}

const monitor::NetworkPlan* NetworkStart::lay_out(Arena& arena) const {
  if (!has_networks(config_)) return nullptr;
  monitor::NetworkPlan* plan = arena.make<monitor::NetworkPlan>();
  plan->run_root = arena.text(engine_.paths().run_root);
  plan->rootful = engine_.host().rootful;
  plan->links = lay_out_links(arena, networks_, record_.networks, default_mtu(engine_));
  std::vector<monitor::PublishedPort> ports;
  for (const HeldPorts::Port& port : ports_) ports.push_back({port.transport, port.container_port});
  plan->ports = arena.span(ports);
  plan->target = forward_target(record_.networks);
  std::vector<std::string> names;
  for (const Network& network : networks_) names.push_back(network.dns ? network.name : std::string());
  plan->dns_networks = {arena.text_array(names), static_cast<std::uint32_t>(names.size())};
  if (!networks_.empty()) plan->netd = arena.text(helper_path("knarr-netd"));
  return plan;
}

}  // namespace knarr::engine
