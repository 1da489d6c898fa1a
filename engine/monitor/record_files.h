// SPDX-License-Identifier: Apache-2.0
// What others can read about a container that runs or has run: its pids file, its status record (record.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "engine/record.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

constexpr const char* pids_file_name = "pids";

// run_directory/pids, locked: "this container runs". It appears complete and locked, by one rename, and goes
// away before the lock does.
class PidsFile {
 public:
  // Throws Conflict as require_no_monitor() does.
  PidsFile(int run_directory_fd, const LivePids& pids);
  PidsFile(PidsFile&&) = default;
  ~PidsFile() { withdraw(); }

  void withdraw();

 private:
  int run_directory_fd_;
  sys::UniqueFd fd_;
};

// Whether a monitor holds the lock on this open pids file.
bool is_monitor_alive(int pids_fd);
// Throws Conflict when one does on the file in this directory.
void require_no_monitor(int run_directory_fd);

// The pid alone, as programs that manage daemons expect it. Throws SysError.
void write_pid_file(const char* path, pid_t pid);

// Both change a container's summary file in place, since who waits for an exit holds it open: with --rm that
// is all there is left of it. A missing or damaged line is started anew. Not synced: a power cut leaves no
// process behind that the status could be wrong about. Throw SysError.
void update_status(const char* container_directory, const std::function<void(StatusRecord&)>& change);
void replace_summary(const char* container_directory, std::string_view line);

}  // namespace knarr::engine::monitor
