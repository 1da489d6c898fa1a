// SPDX-License-Identifier: Apache-2.0
// The process that keeps pasta or slirp4netns running. A child of netd, from which it knows nothing: what
// reads the containers' packets and queries runs no programs, and what runs programs reads nothing of them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "engine/netd/way_out.h"

namespace knarr::engine::netd {

// Forks it and returns its pid. `directory` is RUN/net, where the way-out file is written. It ends with this
// process; by itself, with 0, only when no program is installed.
pid_t start_way_out(const std::string& directory, int engine_netns);

struct HostFamilies {
  bool v4 = false, v6 = false;  // there is a route to the outside
  bool operator==(const HostFamilies&) const = default;
};
// The command line. Pure.
std::vector<std::string> plan_way_out(const WayOutProgram& program, const std::string& netns_path,
                                      const HostFamilies& host);

}  // namespace knarr::engine::netd
