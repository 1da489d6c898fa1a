// SPDX-License-Identifier: Apache-2.0
#include "engine/network/name_server.h"

#include <fcntl.h>

#include <algorithm>

#include "engine/netd/start.h"
#include "engine/network/live_network.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

bool is_among(const std::vector<NamedNetwork>& networks, const std::string& name) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const auto& network) { return network.name == name; });
}

// Those of other containers, which a netd that died has left without names.
void add_live_networks(const NetworkPlace& place, std::vector<NamedNetwork>& networks) {
  for (const std::string& name : sys::list_directory(AT_FDCWD, place.directory() + "/networks")) {
    const auto live = is_among(networks, name) ? std::nullopt : read_live_network(place.run_root, name);
    if (live && live->dns) networks.push_back({name, live->gateways});
  }
}

}  // namespace

void ensure_name_server(const NetworkPlace& place, const std::string& program, int engine_netns,
                        const std::vector<NamedNetwork>& networks) {
  const std::string directory = place.directory();
  std::vector<NamedNetwork> served = networks;
  if (!is_netd_running(directory)) add_live_networks(place, served);
  std::vector<DnsSockets> sockets;
  for (const NamedNetwork& network : served)
    sockets.push_back({network.name, open_dns_sockets(engine_netns, network.gateways)});
  const auto started = ensure_netd(
      {.directory = directory, .program = program, .engine_netns = engine_netns, .way_out = !place.rootful},
      std::move(sockets));
  if (started && !place.rootful) record_netns_holder(place, started->process, started->engine_netns);
}

}  // namespace knarr::engine
