// SPDX-License-Identifier: Apache-2.0
// netd (netd/start.h) for who has just given a container interfaces, in R and with the lock of networks.
#pragma once

#include <string>
#include <vector>

#include "engine/network/engine_netns.h"
#include "netns/address.h"

namespace knarr::engine {

// A network on which netd answers questions, at these addresses.
struct NamedNetwork {
  std::string name;
  std::vector<netns::IpAddress> gateways;
};

// netd runs and serves these networks. A new one finds those of other containers by itself.
void ensure_name_server(const NetworkPlace& place, const std::string& program, int engine_netns,
                        const std::vector<NamedNetwork>& networks);

}  // namespace knarr::engine
