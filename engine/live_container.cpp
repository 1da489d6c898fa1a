// SPDX-License-Identifier: Apache-2.0
#include "engine/live_container.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

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

sys::ProcessId joinable_process(const sys::ProcessId& init) {
  // Reading the link asks the kernel the same question as setns(2) and /proc/PID/root (ptrace(2), access mode
  // checking).
  const auto is_open = [](pid_t pid) {
    char link[64];
    return ::readlink(concat("/proc/", pid, "/ns/pid").c_str(), link, sizeof(link)) > 0;
  };
  if (is_open(init.pid)) return init;
  const auto children =
      sys::read_file_if_exists(AT_FDCWD, concat("/proc/", init.pid, "/task/", init.pid, "/children"))
          .value_or("");
  for (const char* next = children.c_str(); *next != '\0';) {
    char* end = nullptr;
    const auto pid = static_cast<pid_t>(std::strtol(next, &end, 10));
    if (end == next) break;
    if (is_open(pid)) return sys::identify(pid);
    next = *end == ' ' ? end + 1 : end;
  }
  throw Conflict("the container's processes are just starting or ending, or closed to their owner");
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
