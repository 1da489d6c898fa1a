// SPDX-License-Identifier: Apache-2.0
#include "engine/network/live.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "engine/etc_files.h"
#include "engine/helpers.h"
#include "engine/in_r.h"
#include "engine/live_container.h"
#include "engine/monitor/attach_address.h"
#include "engine/monitor/protocol.h"
#include "engine/netd/start.h"
#include "engine/network/attach.h"
#include "engine/network/name_server.h"
#include "engine/network/plan_attachments.h"
#include "engine/network/run_paths.h"
#include "netns/bridge.h"
#include "netns/enter.h"
#include "netns/link.h"
#include "netns/nft/table.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

NetworkPlace place_of(const Engine& engine) {
  return {engine.paths().run_root, engine.host().rootful};
}

// A running container and what it has of networks.
struct Running {
  ContainerStatus status;
  std::string run_directory;
  NetworkRunRecord record;
};

Running get_running(const Engine& engine, const std::string& id) {
  Running running{engine.status(id), engine.run_directory(id), {}};
  if (running.status.state != State::running)
    throw Conflict(concat("container ", id.substr(0, 12), " is not running"));
  running.record = read_network_record(running.run_directory).value_or(NetworkRunRecord{});
  return running;
}

auto find_attached(std::vector<AttachedNetwork>& networks, const std::string& name) {
  return std::find_if(networks.begin(), networks.end(),
                      [&](const AttachedNetwork& one) { return one.network == name; });
}

// Its interfaces are as the record has them; in R.
void apply_links(const NetworkPlace& place, const std::string& netd, const sys::ProcessId& inside,
                 const std::vector<Network>& networks, const init::Span<netns::Link>& links) {
  const sys::Lock lock = lock_networks(place);
  const sys::UniqueFd engine_netns = find_engine_netns(place);
  if (!engine_netns) throw Error("the network namespace of rootless networks is gone");
  const sys::UniqueFd container_netns = netns::open_network_namespace(inside.pid);
  netns::Namespace engine = netns::open_namespace(engine_netns.get(), netns::Filtering::yes);
  netns::Namespace container = netns::open_container_namespace(container_netns.get());
  std::vector<NamedNetwork> named;
  for (std::uint32_t i = 0; i < links.size; ++i) {
    apply_network(place, engine, *links[i].bridge);
    netns::apply_link(engine, container, links[i]);
    NamedNetwork name{networks[i].name, {}};
    for (const NetworkSubnet& subnet : networks[i].subnets) {
      if (subnet.gateway) name.gateways.push_back(*subnet.gateway);
    }
    if (networks[i].dns) named.push_back(std::move(name));
  }
  ensure_name_server(place, netd, engine_netns.get(), named);
}

void apply_in_r(const Engine& engine, const Running& running, const std::vector<Network>& networks,
                const std::vector<AttachedNetwork>& attached) {
  Arena arena;
  const auto links = lay_out_links(arena, networks, attached, default_mtu(engine));
  const sys::ProcessId inside = joinable_process(running.status.init);
  const std::string netd = helper_path("knarr-netd");
  run_in_r(engine, [&] { apply_links(place_of(engine), netd, inside, networks, links); });
}

// The kernel takes its time to delete an interface that is detached already: nobody waits for that.
void collect_links_in_background(int engine_netns) {
  sys::fork_child([engine_netns] {
    ::setsid();
    const sys::UniqueFd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; ++fd) ::dup2(null.get(), fd);
    netns::Namespace engine = netns::open_namespace(engine_netns, netns::Filtering::no);
    ::close_range(3, static_cast<unsigned>(std::min(engine_netns, engine.route.fd())) - 1, 0);
    netns::collect_links(engine);
    return 0;
  });
}

void detach_in_r(const Engine& engine, const Running& running, const std::string& interface) {
  const sys::ProcessId inside = joinable_process(running.status.init);
  run_in_r(engine, [&] {
    const NetworkPlace place = place_of(engine);
    const sys::Lock lock = lock_networks(place);
    const sys::UniqueFd engine_netns = find_engine_netns(place);
    if (!engine_netns) return;
    const sys::UniqueFd container_netns = netns::open_network_namespace(inside.pid);
    netns::Namespace host_side = netns::open_namespace(engine_netns.get(), netns::Filtering::no);
    netns::Namespace container = netns::open_container_namespace(container_netns.get());
    netns::detach_link(host_side, container, interface);
    collect_links_in_background(engine_netns.get());
  });
}

// Its monitor leads the ports to where they lead now.
void tell_monitor(const Running& running) {
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, running.run_directory);
  const sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = monitor::attach_address(directory.get());
  const char frame = static_cast<char>(monitor::FrameType::networks);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::send(socket.get(), &frame, sizeof frame, MSG_NOSIGNAL) < 0)
    throw_errno("telling the container's monitor");
}

void follow_record(const Engine& engine, const ContainerConfig& config, const Running& running,
                   const std::vector<Network>& networks) {
  write_network_record(running.run_directory, running.record);
  write_etc_files(config, running.run_directory,
                  {.networks = running.record.networks, .host = host_address(engine, networks)});
  if (!running.record.ports.empty()) tell_monitor(running);
}

// Those that still exist; a definition that is gone does not keep its container from the others.
std::vector<Network> find_networks(const Engine& engine, const std::vector<AttachedNetwork>& attached) {
  std::vector<Network> networks;
  for (const AttachedNetwork& one : attached) {
    if (auto network = engine.networks().find(one.network)) networks.push_back(std::move(*network));
  }
  return networks;
}

}  // namespace

void attach_live(const Engine& engine, const ContainerConfig& config, const NetworkAttachment& attachment) {
  Running running = get_running(engine, config.id);
  std::vector<AttachedNetwork>& networks = running.record.networks;
  const Network network = engine.networks().get(attachment.network);
  const AttachedNetwork attached =
      take_attachment(engine, config, attachment, network, running.status.monitor, networks);
  const NetworkRunRecord before = running.record;
  try {
    publish_attachment(engine, network, attached, config.id, running.status.monitor);
    apply_in_r(engine, running, {network}, {attached});
    networks.push_back(attached);
    follow_record(engine, config, running, find_networks(engine, networks));
  } catch (...) {
    give_back_attachment(engine, attached, config.id);
    write_network_record(running.run_directory, before);
    throw;
  }
}

void detach_live(const Engine& engine, const ContainerConfig& config, const std::string& network) {
  Running running = get_running(engine, config.id);
  std::vector<AttachedNetwork>& networks = running.record.networks;
  const auto found = find_attached(networks, network);
  if (found == networks.end()) return;
  const AttachedNetwork attached = *found;
  networks.erase(found);
  detach_in_r(engine, running, attached.interface);
  follow_record(engine, config, running, find_networks(engine, networks));
  give_back_attachment(engine, attached, config.id);
}

void reload_networks(const Engine& engine, const std::string& container_id) {
  const Running running = get_running(engine, container_id);
  const std::vector<AttachedNetwork>& attached = running.record.networks;
  const std::vector<Network> networks = find_networks(engine, attached);
  if (networks.size() != attached.size())
    throw NotFound(
        concat("container ", container_id.substr(0, 12), ": one of its networks has been removed"));
  for (std::size_t i = 0; i < networks.size(); ++i)
    publish_attachment(engine, networks[i], attached[i], container_id, running.status.monitor);
  if (!networks.empty()) apply_in_r(engine, running, networks, attached);
}

void remove_live_network(const Engine& engine, const Network& network) {
  const std::string directory = network_run_directory(engine.paths().run_root, network.name);
  // No container has been on it in this boot.
  if (!sys::stat_at(AT_FDCWD, directory)) return;
  run_in_r(engine, [&] {
    const NetworkPlace place = place_of(engine);
    const sys::Lock lock = lock_networks(place);
    if (const sys::UniqueFd engine_netns = find_engine_netns(place)) {
      netns::Namespace there = netns::open_namespace(engine_netns.get(), netns::Filtering::yes);
      netns::remove_bridge_rules(there.filter, network.interface);
      netns::remove_bridge(there, network.interface);
    }
    forget_network(place.directory(), network.name);
    sys::remove_tree(AT_FDCWD, directory);
  });
}

}  // namespace knarr::engine
