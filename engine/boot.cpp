// SPDX-License-Identifier: Apache-2.0
#include "engine/boot.h"

#include <fcntl.h>

#include "engine/monitor/record_files.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"

namespace knarr::engine {

namespace {

constexpr const char* marker = "/boot-id";

// A run directory that an earlier version of the engine made has no mark: what lives in there is of this
// boot.
bool is_alive(const std::string& container_directory) {
  const sys::UniqueFd pids = sys::find_at(AT_FDCWD, container_directory + "/pids", O_RDONLY);
  return pids && monitor::is_monitor_alive(pids.get());
}

void empty(const std::string& run_root) {
  const std::string containers = run_root + "/containers";
  bool any_alive = false;
  for (const std::string& id : sys::list_directory(AT_FDCWD, containers)) {
    if (is_alive(containers + "/" + id)) {
      any_alive = true;
    } else {
      sys::remove_tree(AT_FDCWD, containers + "/" + id);
    }
  }
  for (const std::string& name : sys::list_directory(AT_FDCWD, run_root)) {
    if (name != "containers" || !any_alive) sys::remove_tree(AT_FDCWD, run_root + "/" + name);
  }
}

}  // namespace

void begin_boot(const std::string& run_root) {
  const auto boot_id = sys::read_file_if_exists(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64);
  if (!boot_id || sys::read_file_if_exists(AT_FDCWD, run_root + marker) == boot_id) return;
  // Who waits for the lock finds the mark made.
  const sys::Lock lock = sys::Lock::acquire(AT_FDCWD, run_root, sys::Lock::Mode::exclusive);
  if (sys::read_file_if_exists(AT_FDCWD, run_root + marker) == boot_id) return;
  with_context("clearing the run directory after a reboot", [&] { empty(run_root); });
  sys::replace_file(AT_FDCWD, run_root + marker, *boot_id, 0600, sys::Durability::none);
}

}  // namespace knarr::engine
