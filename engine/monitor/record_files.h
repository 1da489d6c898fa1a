// SPDX-License-Identifier: Apache-2.0
// What others can read about a container that runs or has run: its pids file, its status record (record.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

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

// Changes the status record of a container in place; a missing or damaged one is started anew. Not synced: a
// power cut leaves no process behind that the record could be wrong about. Throws SysError.
void update_status(const char* container_directory, const std::function<void(StatusRecord&)>& change);

}  // namespace knarr::engine::monitor
