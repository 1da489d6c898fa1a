// SPDX-License-Identifier: Apache-2.0
// Copying between this process's standard streams and pipes of a process in a container.
#pragma once

#include <string>
#include <vector>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

struct PumpStream {
  int from = -1;
  int to = -1;
  bool close_target_at_end = false;  // `to` is ours: its reader shall see the end
};

// Copies until the process behind pid_fd is dead and what it wrote has been passed on. A stream whose reader
// has gone is dropped; input is not waited for. Signals in `forwarded` (blocked by the caller, see signal_fd)
// are sent on to the process.
void pump_until_exit(std::vector<PumpStream> inputs, std::vector<PumpStream> outputs, int pid_fd,
                     int signal_fd);

enum class PumpEnd { exited, detached };

// The same between this process's terminal and the master of one in a container: raw mode, window size,
// detach keys (of parse_detach_keys()). Without `input` nothing typed is passed on. SIGWINCH must be among
// the signals of signal_fd.
PumpEnd pump_terminal(int master_fd, int pid_fd, int signal_fd, bool input,
                      const std::string& detach_sequence);

}  // namespace knarr::engine
