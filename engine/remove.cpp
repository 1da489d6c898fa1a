// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "engine/create.h"
#include "engine/lifecycle.h"
#include "engine/live_container.h"
#include "engine/monitor/record_files.h"
#include "engine/network/attach.h"
#include "engine/network/reservations.h"
#include "engine/record.h"
#include "engine/trash.h"
#include "engine/volumes.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// A record that a power cut spoilt must not keep the container from being removed.
std::optional<ContainerConfig> load_config_if_intact(const Engine& engine, const std::string& id) {
  try {
    return engine.load_config(id);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Those a damaged record does not tell, or a rename that was killed left.
void remove_unrecorded_names(const Engine& engine, const std::string& id,
                             const std::optional<ContainerConfig>& config) {
  engine.containers().end_rename(id, config ? config->name : "");
  if (config && engine.containers().find_id(config->name) == id) return;
  for (const auto& [name, owner] : engine.containers().names()) {
    if (owner == id) engine.containers().take_name(id, name);
  }
}

Conflict still_running(const std::string& id) {
  Conflict error(concat("cannot remove container ", id.substr(0, 12), " as it is running"));
  error.set_hint("stop it first, or use --force");
  return error;
}

// Under the container's lock, which must be gone before its directory can be deleted. False when somebody has
// started the container meanwhile.
bool take_away(const Engine& engine, const std::string& id, const RemoveOptions& options) {
  const auto lock = engine.containers().lock(id);
  if (engine.is_running(id)) return false;
  const auto config = load_config_if_intact(engine, id);
  const std::string run_directory = engine.run_directory(id);
  end_orphaned_init(run_directory);
  remove_unrecorded_names(engine, id, config);
  engine.containers().remove(id, config ? config->name : "");
  give_back_networks(engine, id);
  sys::remove_tree(AT_FDCWD, run_directory);
  if (config) forget_reservations(engine.paths().store_root, *config);
  if (config && (options.volumes || config->auto_remove)) remove_anonymous_volumes(engine, *config);
  if (config && config->auto_remove && !config->cid_file.empty())
    sys::unlink_if_exists(AT_FDCWD, config->cid_file);
  return true;
}

void remove_when_stopped(const Engine& engine, const std::string& id, const RemoveOptions& options) {
  for (;;) {
    if (engine.is_running(id)) {
      if (!options.force) throw still_running(id);
      stop(engine, id, options.timeout_seconds);
    }
    // With --rm its monitor has removed it by now.
    if (!engine.containers().find_id(id)) return;
    if (take_away(engine, id, options)) return;
  }
}

}  // namespace

void forget_side_effects(const Engine& engine, const ContainerConfig& config) {
  remove_anonymous_volumes(engine, config);
  forget_reservations(engine.paths().store_root, config);
  if (!config.cid_file.empty()) sys::unlink_if_exists(AT_FDCWD, config.cid_file);
}

void discard(const Engine& engine, const ContainerConfig& config) {
  engine.containers().remove(config.id, config.name);
  give_back_networks(engine, config.id);
  sys::remove_tree(AT_FDCWD, engine.run_directory(config.id));
  forget_side_effects(engine, config);
  empty_trash_in_background(engine);
}

void remove(const Engine& engine, const std::string& id, const RemoveOptions& options) {
  try {
    remove_when_stopped(engine, id, options);
  } catch (const NotFound&) {
    // Somebody else was quicker: with --force that is what was wanted.
    if (!options.force) throw;
  }
  empty_trash_in_background(engine);
}

void rename(const Engine& engine, const std::string& id, const std::string& new_name) {
  const storage::ContainerStore& containers = engine.containers();
  const auto lock = containers.lock(id);
  const ContainerConfig old = engine.load_config(id);
  containers.end_rename(id, old.name);
  ContainerConfig renamed = old;
  renamed.name = new_name;
  containers.rename(id, old.name, new_name, [&] {
    containers.replace(id, "config.json", render_config(renamed), sys::Durability::none);
    try {
      monitor::replace_summary(containers.path(id).c_str(), render_summary(summarize(renamed)));
    } catch (...) {
      containers.replace(id, "config.json", render_config(old), sys::Durability::none);
      throw;
    }
  });
}

}  // namespace knarr::engine
