// SPDX-License-Identifier: Apache-2.0
// Where networks keep what must not outlive a boot, below the run directory. Plain text for programs that
// have no JSON; a file that names a process is worth nothing when that process is dead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rootless/sys/lock.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

// run_root/net/networks/NETWORK: leases/<ip>, names/<name>/<container id>, network.
std::string network_run_directory(const std::string& run_root, std::string_view network);

// Makes the directory and waits for its lock: leases and names change under it. Held for a few file
// operations, never while anybody is waited for. Networks before containers; of several networks one at a
// time.
sys::Lock lock_network(const std::string& run_root, std::string_view network);

// "PID START", as leases and names begin.
std::string render_process(const sys::ProcessId& process);
std::optional<sys::ProcessId> parse_process(std::string_view line);

}  // namespace knarr::engine
