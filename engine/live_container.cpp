// SPDX-License-Identifier: Apache-2.0
#include "engine/live_container.h"

#include <fcntl.h>

#include <csignal>

#include "engine/monitor/record_files.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

std::optional<LiveContainer> LiveContainer::find(const std::string& run_directory) {
  sys::UniqueFd file = sys::find_at(AT_FDCWD, run_directory + "/" + monitor::pids_file_name, O_RDONLY);
  if (!file || !monitor::is_monitor_alive(file.get())) return std::nullopt;
  const auto pids = parse_pids(sys::read_all(file.get(), "the container's pids"));
  if (!pids) return std::nullopt;
  return LiveContainer(std::move(file), *pids);
}

void LiveContainer::wait_for_end() const {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  while (::fcntl(file_.get(), F_OFD_SETLKW, &lock) < 0) {
    if (errno != EINTR) throw_errno("waiting for the container's monitor");
  }
}

void end_orphaned_init(const std::string& run_directory) {
  // Killing takes no time; a process that hangs in the kernel must not hang every command with it.
  constexpr int patience_ms = 5000;
  const auto line = sys::read_file_if_exists(AT_FDCWD, run_directory + "/" + monitor::pids_file_name, 4096);
  const auto pids = line ? parse_pids(*line) : std::nullopt;
  if (!pids) return;
  const sys::UniqueFd init = sys::open_process(pids->init);
  if (!init) return;
  sys::send_signal(init.get(), SIGKILL);
  if (!sys::wait_process(init.get(), patience_ms)) {
    throw Error(concat("process ", pids->init.pid, ", left by the container's last run, does not end"));
  }
}

}  // namespace knarr::engine
