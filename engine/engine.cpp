// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/boot.h"
#include "engine/live_container.h"
#include "engine/monitor/record_files.h"
#include "engine/network/engine_netns.h"
#include "engine/network/run_paths.h"
#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"

namespace knarr::engine {

namespace {

constexpr const char* live_containers = "/containers";

// As render_id_map() does for a pair of maps; empty when the process is gone.
std::string read_maps(pid_t pid) {
  std::string maps;
  for (const char* name : {"uid_map", "gid_map"}) {
    const auto text = sys::read_file_if_exists(AT_FDCWD, concat("/proc/", pid, "/", name));
    const auto map = text ? rootless::parse_id_map(*text) : std::nullopt;
    if (!map) return {};
    maps += concat(maps.empty() ? "" : "\n", rootless::render_id_map(*map));
  }
  return maps;
}

constexpr const char* check_hint = "see 'knarr system check'";

ContainerConfig parse_intact(const std::string& json) {
  try {
    return parse_config(json);
  } catch (InvalidArgument& error) {
    error.set_hint(check_hint);
    throw;
  }
}

// nullopt for a container that is just being made or removed, too: its command holds its lock.
std::optional<Summary> summarize_damaged(const Engine& engine, const std::string& id) {
  try {
    const auto lock = sys::Lock::try_acquire(engine.store().fd(), engine.containers().relative_path(id),
                                             sys::Lock::Mode::exclusive);
    if (!lock && !engine.is_running(id)) return std::nullopt;
    return summarize(engine.load_config(id));
  } catch (const NotFound&) {
    return std::nullopt;  // gone
  } catch (const Error& error) {
    engine.warn(concat(error.message(), "; ", check_hint));
    return std::nullopt;
  }
}

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      host_(rootless::gather_host_facts()),
      paths_(rootless::prepare_paths(options_.paths)),
      store_(storage::Store::open(paths_.store_root)) {
  begin_boot(paths_.run_root);
  if (!options_.warn) options_.warn = [](const std::string&) {};
}

NetworkStore Engine::networks() const {
  // --root as it was made absolute.
  const std::string root = options_.paths.root.empty() ? "" : paths_.store_root;
  return NetworkStore(network_directory(
      {.network_config_dir = options_.network_config_dir, .root = root, .rootful = host_.rootful}));
}

std::string Engine::run_directory(const std::string& container_id) const {
  return paths_.run_root + live_containers + "/" + container_id;
}

ContainerConfig Engine::load_config(const std::string& container_id) const {
  return with_context(concat("reading container ", container_id.substr(0, 12)),
                      [&] { return parse_intact(containers().read(container_id, "config.json")); });
}

std::optional<StatusRecord> Engine::read_status(const std::string& container_id) const {
  try {
    const auto text = containers().read_if_exists(container_id, "summary");
    return text ? parse_status(status_line(*text)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // no file is in its place, say; `system check` reports that
  }
}

void Engine::visit_records(const std::function<void(ContainerRecord)>& visit) const {
  for (const storage::ContainerEntry& entry : containers().list()) {
    auto summary = parse_summary(entry.summary);
    if (!summary) summary = summarize_damaged(*this, entry.id);
    if (summary) visit({*std::move(summary), parse_status(status_line(entry.summary))});
  }
}

std::vector<Summary> Engine::summaries() const {
  std::vector<Summary> all;
  visit_records([&](ContainerRecord record) { all.push_back(std::move(record.summary)); });
  return all;
}

ContainerStatus Engine::status(const std::string& container_id) const {
  ContainerStatus status;
  const auto live = LiveContainer::find(run_directory(container_id));
  if (const auto record = read_status(container_id)) {
    status.started_ns = record->started_ns;
    status.finished_ns = record->finished_ns;
    status.exit_code = record->exit_code;
    status.restarts = record->restarts;
    status.stopped_by_user = record->stopped_by_user;
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
  std::vector<sys::ProcessId> candidates;
  if (host_.rootful || host_.inside_user_namespace) return candidates;
  const std::string directory = paths_.run_root + live_containers;
  for (const std::string& id : sys::list_directory(AT_FDCWD, directory)) {
    // Any living one will do, and each is checked again before it is joined; two guard against one that dies.
    if (candidates.size() == 2) break;
    if (const auto live = LiveContainer::find(directory + "/" + id))
      candidates.push_back(live->pids().monitor);
  }
  // After the last container netd stays for a while, and with it what it knows: the next one comes to it.
  const NetworkPlace networks{paths_.run_root, false};
  const auto netd = sys::read_file_if_exists(AT_FDCWD, networks.directory() + netd_process_name);
  if (const auto process = netd ? parse_process(*netd) : std::nullopt) candidates.push_back(*process);
  return candidates;
}

void Engine::enter_r() const {
  const rootless::Entered entered = rootless::enter_r(host_, r_candidates());
  if (entered == rootless::Entered::single_id) warn_single_id();
  if (entered != rootless::Entered::joined) warn_other_maps();
}

void Engine::warn_other_maps() const {
  if (host_.rootful || host_.inside_user_namespace) return;
  const std::string maps =
      concat(rootless::render_id_map(host_.r_maps.uids), "\n", rootless::render_id_map(host_.r_maps.gids));
  std::string names;
  const std::string directory = paths_.run_root + live_containers;
  for (const std::string& id : sys::list_directory(AT_FDCWD, directory)) {
    const auto live = LiveContainer::find(directory + "/" + id);
    if (!live || read_maps(live->pids().monitor.pid) == maps) continue;
    const auto line = containers().read_if_exists(id, "summary");
    const auto summary = line ? parse_summary(*line) : std::nullopt;
    names += concat(names.empty() ? "" : ", ", summary ? summary->name : id.substr(0, 12));
  }
  const std::string marker = paths_.run_root + "/warned-maps";
  if (names.empty() || sys::read_file_if_exists(AT_FDCWD, marker) == maps) return;
  sys::replace_file(AT_FDCWD, marker, maps, 0600, sys::Durability::none);
  warn(concat("the ids that /etc/subuid and /etc/subgid grant have changed: ", names,
              " keep the old ones until they are stopped, and what they share with other containers may "
              "have other owners there"));
}

void Engine::warn_single_id() const {
  const std::string why = rootless::explain_single_id(host_);
  if (why.empty()) return;
  warn_once("single-id", why);
}

void Engine::warn_once(const std::string& about, const std::string& line) const {
  const std::string marker = concat(paths_.run_root, "/warned-", about);
  if (sys::stat_at(AT_FDCWD, marker)) return;
  sys::replace_file(AT_FDCWD, marker, "", 0600, sys::Durability::none);
  warn(line);
}

storage::OverlayFacts Engine::overlay() const {
  if (auto known = storage::read_overlay_facts(store_, paths_.run_root, options_.storage_driver))
    return *known;
  return storage::choose_overlay_driver(store_, paths_.run_root, options_.storage_driver);
}

}  // namespace knarr::engine
