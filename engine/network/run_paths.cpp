// SPDX-License-Identifier: Apache-2.0
#include "engine/network/run_paths.h"

#include <fcntl.h>

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

std::string network_run_directory(const std::string& run_root, std::string_view network) {
  return concat(run_root, "/net/networks/", network);
}

sys::Lock lock_network(const std::string& run_root, std::string_view network) {
  const std::string directory = network_run_directory(run_root, network);
  for (int attempts_left = 16;; --attempts_left) {
    sys::make_directories(AT_FDCWD, directory, 0700);
    try {
      return sys::Lock::acquire(AT_FDCWD, directory, sys::Lock::Mode::exclusive);
    } catch (const NotFound&) {
      // Its network was removed while we waited, and is made anew.
      if (attempts_left == 0) throw;
    }
  }
}

std::string render_process(const sys::ProcessId& process) {
  return concat(process.pid, " ", process.start_time);
}

std::optional<sys::ProcessId> parse_process(std::string_view line) {
  const auto parts = split_once(line, ' ');
  const auto pid = parts ? parse_unsigned(parts->first, INT32_MAX) : std::nullopt;
  const auto start = parts ? parse_unsigned(parts->second) : std::nullopt;
  if (!pid || !start) return std::nullopt;
  return sys::ProcessId{.pid = static_cast<pid_t>(*pid), .start_time = *start};
}

}  // namespace knarr::engine
