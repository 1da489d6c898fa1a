// SPDX-License-Identifier: Apache-2.0
#include "engine/network/connect.h"

#include <algorithm>

#include "engine/monitor/record_files.h"
#include "engine/network/live.h"
#include "engine/network/reservations.h"
#include "engine/record.h"
#include "engine/request/networks.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

void require_bridged(const ContainerConfig& config) {
  const std::string& mode = config.namespaces.network;
  if (mode != "bridge")
    throw Conflict(concat("container ", config.name, " cannot be connected to networks: \"", mode,
                          "\" is not supported: invalid network mode"));
}

auto find_attachment(ContainerConfig& config, const std::string& network) {
  return std::find_if(config.networks.begin(), config.networks.end(),
                      [&](const NetworkAttachment& one) { return one.network == network; });
}

// The change is on disk before the container has it: what runs can be made to follow, but not the other way.
void change_record(const Engine& engine, const ContainerConfig& from, const ContainerConfig& to,
                   const std::function<void()>& follow) {
  const auto write = [&](const ContainerConfig& config) {
    engine.containers().replace(config.id, "config.json", render_config(config), sys::Durability::synced);
    monitor::replace_summary(engine.containers().path(config.id).c_str(), render_summary(summarize(config)));
  };
  write(to);
  try {
    if (engine.is_running(to.id)) follow();
  } catch (...) {
    write(from);
    throw;
  }
}

}  // namespace

void connect_network(const Engine& engine, const std::string& container_id, NetworkAttachment attachment) {
  const sys::Lock networks = engine.networks().lock(sys::Lock::Mode::shared);
  const sys::Lock lock = engine.containers().lock(container_id);
  const ContainerConfig old = engine.load_config(container_id);
  require_bridged(old);
  const Network network = engine.networks().get(attachment.network);
  attachment.network = network.name;
  check_wishes(attachment, network);
  ContainerConfig changed = old;
  if (find_attachment(changed, network.name) != changed.networks.end())
    throw Conflict(concat("container ", old.name, " is already connected to network ", network.name));
  changed.networks.push_back(attachment);
  change_record(engine, old, changed, [&] { attach_live(engine, changed, attachment); });
  reserve_addresses(engine.paths().store_root, changed);
}

void disconnect_network(const Engine& engine, const std::string& container_id, const std::string& name) {
  const sys::Lock lock = engine.containers().lock(container_id);
  const ContainerConfig old = engine.load_config(container_id);
  require_bridged(old);
  const auto definition = engine.networks().find(name);
  const std::string network = definition ? definition->name : name;
  ContainerConfig changed = old;
  const auto attachment = find_attachment(changed, network);
  if (attachment == changed.networks.end())
    throw Conflict(concat("container ", old.name, " is not connected to network ", network));
  changed.networks.erase(attachment);
  change_record(engine, old, changed, [&] { detach_live(engine, changed, network); });
  forget_reservations(engine.paths().store_root, old);
  reserve_addresses(engine.paths().store_root, changed);
}

}  // namespace knarr::engine
