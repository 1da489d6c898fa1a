// SPDX-License-Identifier: Apache-2.0
// RN, the network namespace that bridges are in: rootful the host's own, rootless one per user, owned by R.
// Nothing pins it. Who needs it keeps a descriptor of it for as long as it does (monitors, netd), says so in
// run_root/net/holders, and others open that descriptor through /proc: so it lives exactly as long as some
// container is on a bridge, and no file about it can be stale.
#pragma once

#include <string>
#include <vector>

#include "netns/namespace.h"
#include "netns/network_plan.h"
#include "rootless/sys/lock.h"
#include "rootless/sys/process.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// In run_root/net: which netd runs, "PID START", written by who started it. It is in R and holds RN, so both
// can be joined through it while it stays after the last container.
constexpr const char* netd_process_name = "/netd";

struct NetworkPlace {
  std::string run_root;
  bool rootful = false;

  std::string directory() const { return run_root + "/net"; }
};

// For finding and making RN, its bridges and netd. Held for a few system calls at a time.
sys::Lock lock_networks(const NetworkPlace& place);

// All below: with that lock, in R.

// Empty when nobody holds one.
sys::UniqueFd find_engine_netns(const NetworkPlace& place);
// Makes it where there is none and sets it up. This process is on record as a holder from here on, by the
// number of the descriptor that is returned: it must stay what it is.
sys::UniqueFd hold_engine_netns(const NetworkPlace& place);
// RN knows of a network: its bridge, and what may pass. After write_live_network().
void apply_network(const NetworkPlace& place, netns::Namespace& engine, const netns::Bridge& bridge);
// What this machine lacks for networks, as far as it was found out when RN was set up, in sentences. Needs no
// lock.
std::vector<std::string> read_network_lacks(const NetworkPlace& place);
// Puts a process on record that holds RN by this descriptor of its own.
void record_netns_holder(const NetworkPlace& place, const sys::ProcessId& process, int fd);

}  // namespace knarr::engine
