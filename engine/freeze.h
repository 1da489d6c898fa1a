// SPDX-License-Identifier: Apache-2.0
// Holding a container's processes for as long as something is read that they must not change meanwhile.
//
// A rootless container has no cgroup of its own whose freezer could do it, and SIGSTOP would be seen: by
// parents that wait for stopped children, and by whoever it wakes again. So the processes are traced
// (ptrace(2), PTRACE_SEIZE): nobody in the container sees that, and when this process dies the kernel lets
// them go on.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>

#include "engine/container.h"

namespace knarr::engine {

class FrozenContainer {
 public:
  // The process must be in R, and its one thread stay the same: the kernel answers only to who traces. `init`
  // as the host sees it.
  FrozenContainer(const sys::ProcessId& init, bool init_is_reaper);
  ~FrozenContainer();
  FrozenContainer(const FrozenContainer&) = delete;
  FrozenContainer& operator=(const FrozenContainer&) = delete;

  // Whether all of them are held. The reaper of --init is closed even to us, and does nothing.
  bool is_complete() const { return is_complete_; }

 private:
  bool seize_new_threads();
  void wait_until_stopped();

  pid_t init_;
  bool init_is_reaper_;
  std::set<pid_t> seized_;     // all threads that will run no more of their program
  std::map<pid_t, int> held_;  // those that have stopped, with the signal each was about to get; 0: none
  bool is_complete_ = true;
};

}  // namespace knarr::engine
