// SPDX-License-Identifier: Apache-2.0
// The client of a container's monitor: the caller's terminal or pipes on one side, frames
// (monitor/protocol.h) on the other.
#pragma once

#include <string>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

struct AttachRequest {
  sys::UniqueFd socket;       // connected already (the first client of a start); else:
  std::string run_directory;  // the container's, with the monitor's socket in it

  // Borrowed; -1: not attached. They may be shared with other processes: their flags are never changed.
  int input_fd = 0;
  int output_fd = 1;
  int error_fd = 2;

  bool terminal = false;        // the container has one: raw mode, window size, detach keys
  std::string detach_sequence;  // of parse_detach_keys(); empty: none
  // The container's init: signals sent to this process go there. -1: they act on this process as usual, after
  // the terminal is restored.
  int init_pid_fd = -1;
};

struct AttachResult {
  enum class End {
    exited,         // exit_code
    detached,       // by the detach keys; the container runs on
    output_closed,  // nobody reads our standard output or error any more (EPIPE); the container runs on
    monitor_lost    // the monitor went away without a word: the exit is what the status record says
  };
  End end = End::exited;
  int exit_code = 0;
};

// Copies until one of the ends above. The terminal is as it was before when this returns or throws, and when
// a signal kills the process. Throws Conflict when nobody listens in run_directory.
AttachResult attach(AttachRequest request);

}  // namespace knarr::engine
