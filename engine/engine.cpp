// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/boot.h"
#include "engine/live_container.h"
#include "engine/monitor/record_files.h"
#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"

namespace knarr::engine {

namespace {

constexpr const char* live_containers = "/containers";

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      host_(rootless::gather_host_facts()),
      paths_(rootless::prepare_paths(options_.paths)),
      store_(storage::Store::open(paths_.store_root)) {
  begin_boot(paths_.run_root);
  if (!options_.warn) options_.warn = [](const std::string&) {};
}

std::string Engine::run_directory(const std::string& container_id) const {
  return paths_.run_root + live_containers + "/" + container_id;
}

ContainerConfig Engine::load_config(const std::string& container_id) const {
  return with_context(concat("reading container ", container_id.substr(0, 12)),
                      [&] { return parse_config(containers().read(container_id, "config.json")); });
}

ContainerStatus Engine::status(const std::string& container_id) const {
  ContainerStatus status;
  const auto live = LiveContainer::find(run_directory(container_id));
  if (const auto line = containers().read_if_exists(container_id, "status")) {
    if (const auto record = parse_status(*line)) {
      status.started_ns = record->started_ns;
      status.finished_ns = record->finished_ns;
      status.exit_code = record->exit_code;
      status.restarts = record->restarts;
      status.stopped_by_user = record->stopped_by_user;
    }
  }
  if (live) {
    status.state = State::running;
    status.monitor = live->pids().monitor;
    status.init = live->pids().init;
    status.exit_code = 0;
  } else if (status.started_ns != 0) {
    status.state = State::exited;
    if (status.finished_ns < status.started_ns) {
      status.exit_code = killed_exit_code;
      status.error = "the container's monitor was killed";
    }
  }
  return status;
}

bool Engine::is_running(const std::string& container_id) const {
  const sys::UniqueFd pids = sys::find_at(AT_FDCWD, run_directory(container_id) + "/pids", O_RDONLY);
  return pids && monitor::is_monitor_alive(pids.get());
}

std::vector<sys::ProcessId> Engine::r_candidates() const {
  std::vector<sys::ProcessId> monitors;
  if (host_.rootful || host_.inside_user_namespace) return monitors;
  const std::string directory = paths_.run_root + live_containers;
  for (const std::string& id : sys::list_directory(AT_FDCWD, directory)) {
    // Any living one will do, and each is checked again before it is joined; two guard against one that dies.
    if (monitors.size() == 2) break;
    if (const auto live = LiveContainer::find(directory + "/" + id)) monitors.push_back(live->pids().monitor);
  }
  return monitors;
}

void Engine::enter_r() const {
  if (rootless::enter_r(host_, r_candidates()) == rootless::Entered::single_id) warn_single_id();
}

void Engine::warn_single_id() const {
  const std::string why = rootless::explain_single_id(host_);
  if (why.empty()) return;
  const std::string marker = paths_.run_root + "/warned-single-id";
  if (sys::stat_at(AT_FDCWD, marker)) return;
  sys::replace_file(AT_FDCWD, marker, "", 0600, sys::Durability::none);
  warn(why);
}

storage::OverlayFacts Engine::overlay() const {
  if (auto known = storage::read_overlay_facts(store_, paths_.run_root, options_.storage_driver))
    return *known;
  return storage::choose_overlay_driver(store_, paths_.run_root, options_.storage_driver);
}

}  // namespace knarr::engine
