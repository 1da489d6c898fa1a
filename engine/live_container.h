// SPDX-License-Identifier: Apache-2.0
// One run of a container, from its start to its end.
#pragma once

#include <optional>
#include <string>

#include "engine/record.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// Holds the pids file of this run open: what is waited for is this run, and not one that somebody starts
// after it.
class LiveContainer {
 public:
  // nullopt when no monitor holds the lock.
  static std::optional<LiveContainer> find(const std::string& run_directory);

  const LivePids& pids() const { return pids_; }
  // Returns when the monitor has recorded the exit and let go of the file, or is dead. Blocking in the kernel
  // on its lock needs neither polling nor the monitor's help.
  void wait_for_end() const;

 private:
  LiveContainer(sys::UniqueFd file, const LivePids& pids) : file_(std::move(file)), pids_(pids) {}
  sys::UniqueFd file_;
  LivePids pids_;
};

// The process through which a container's namespaces can be entered: its init, or with --init the oldest
// child of that. The engine's own reaper is closed to everybody (PR_SET_DUMPABLE): it maps memory of the
// monitor. Throws Conflict when there is none.
sys::ProcessId joinable_process(const sys::ProcessId& init);

// Kills what a dead monitor left: an init that lost its parent-death signal (a program that changes its user
// clears it). The caller holds the container's lock and knows that no monitor lives.
void end_orphaned_init(const std::string& run_directory);

}  // namespace knarr::engine
