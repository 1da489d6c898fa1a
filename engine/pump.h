// SPDX-License-Identifier: Apache-2.0
// Copying between this process's standard streams and pipes of a process in a container.
#pragma once

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

}  // namespace knarr::engine
