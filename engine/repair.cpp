// SPDX-License-Identifier: Apache-2.0
// What a crash leaves: only containers that were alive in this boot have a run directory, so this looks at
// those alone and costs nothing for the others. After a reboot the run directories are gone with the tmpfs,
// and the first command looks at every container once.
#include <fcntl.h>

#include "engine/lifecycle.h"
#include "engine/live_container.h"
#include "engine/network/attach.h"
#include "engine/record.h"
#include "engine/trash.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// Made by `run --rm` and neither running nor about to (the command that starts it holds the lock).
bool is_worthless(const Engine& engine, const std::string& id) {
  const auto line = engine.containers().read_if_exists(id, "summary");
  const auto summary = line ? parse_summary(*line) : std::nullopt;
  if (!summary || !summary->auto_remove) return false;
  return summary->transient || engine.status(id).state == State::exited;
}

// Takes what a dead monitor left; true when the container itself is to go as well.
bool reclaim_run_directory(const Engine& engine, const std::string& id) {
  const bool recorded = engine.containers().find_id(id).has_value();
  const auto lock = recorded
                        ? sys::Lock::try_acquire(engine.store().fd(), engine.containers().relative_path(id),
                                                 sys::Lock::Mode::exclusive)
                        : std::nullopt;
  // Somebody is starting or stopping it right now.
  if (recorded && (!lock || engine.is_running(id))) return false;
  end_orphaned_init(engine.run_directory(id));
  give_back_networks(engine, id);
  sys::remove_tree(AT_FDCWD, engine.run_directory(id));
  return recorded && is_worthless(engine, id);
}

// Whether anything was taken away.
bool repair_container(const Engine& engine, const std::string& id) {
  try {
    if (engine.is_running(id) || !reclaim_run_directory(engine, id)) return false;
    remove(engine, id, {});
    return true;
  } catch (const Error&) {
    // Its own monitor or another command is at it, or it is damaged: no reason for this command to fail. The
    // next one tries again.
    return false;
  }
}

// A container whose command was killed while it made the record has a directory and no name, or the reverse.
// Counting shows it: two directories are read, no file of any container.
bool remove_half_made(const Engine& engine) {
  const auto count = [&](const char* directory) {
    return sys::list_directory(engine.store().fd(), directory).size();
  };
  if (count("containers") == count("names")) return false;
  for (const std::string& id : engine.containers().find_garbage()) engine.containers().remove_garbage(id);
  engine.containers().remove_dangling_names();
  return true;
}

bool first_command_of_this_boot(const Engine& engine) {
  const std::string marker = engine.paths().run_root + "/repaired";
  if (sys::stat_at(AT_FDCWD, marker)) return false;
  try {
    sys::replace_file(AT_FDCWD, marker, "", 0600, sys::Durability::none);
  } catch (const SysError&) {
    // A full disk must not keep anybody from removing things; the next command looks once more.
  }
  return true;
}

}  // namespace

void repair(const Engine& engine) {
  bool trash = false;
  const std::string live = engine.paths().run_root + "/containers";
  for (const std::string& id : sys::list_directory(AT_FDCWD, live)) trash |= repair_container(engine, id);
  trash |= remove_half_made(engine);
  if (first_command_of_this_boot(engine)) {
    for (const storage::ContainerEntry& container : engine.containers().list())
      repair_container(engine, container.id);
    trash = true;
  }
  // What lies there otherwise is being deleted by a monitor, or will be by the next one.
  if (trash) empty_trash_in_background(engine);
}

}  // namespace knarr::engine
