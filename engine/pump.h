// SPDX-License-Identifier: Apache-2.0
// Copying between this process's standard streams and pipes or a terminal of a process in a container.
#pragma once

#include <string>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// One stream of the process: our end of its pipe, which becomes non-blocking, and the user's descriptor
// (borrowed) that is behind it. Without an own end there is nothing to copy.
struct PumpStream {
  sys::UniqueFd own;
  int users = -1;
};

struct PumpStreams {
  PumpStream input, output, error;
};

struct PumpResult {
  enum class End { exited, detached };
  End end = End::exited;
  // errno of a write to the user's output or error that failed; 0 also when just nobody reads it any more.
  // Either way the process finds its pipe closed, or its terminal hung up.
  int output_error = 0;
};

// Copies until the process behind pid_fd is dead and what it wrote has been passed on; input is not waited
// for. Neither a slow reader nor a slow process keeps the other streams or the signals from being served.
// Signals of signal_fd (-1: none; blocked by the caller, as SIGPIPE) are sent on to the process; when it is
// dead, one that asks to end (SIGINT, SIGTERM, ...) gives up what a slow reader has not taken.
PumpResult pump_until_exit(PumpStreams streams, int pid_fd, int signal_fd);

// The same between the user's terminal and the master of one in a container: raw mode, window size, detach
// keys (of parse_detach_keys()). What comes from elsewhere than a terminal is not searched for detach keys,
// and its end is typed as the end-of-file character. input_fd -1: nothing typed is passed on. SIGWINCH must
// be among the signals of signal_fd. The master is closed when nobody takes what comes from it: the process
// is hung up then.
PumpResult pump_terminal(sys::UniqueFd& master, int input_fd, int output_fd, int pid_fd, int signal_fd,
                         const std::string& detach_sequence);

}  // namespace knarr::engine
