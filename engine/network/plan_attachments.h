// SPDX-License-Identifier: Apache-2.0
// From a container's networks, their definitions and its addresses to interfaces and routes. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/container.h"
#include "engine/launch/arena.h"
#include "engine/network/run_record.h"
#include "netns/network_plan.h"

namespace knarr::engine {

// One network with what its leases gave.
struct Attachable {
  NetworkAttachment wish;
  Network network;
  std::vector<netns::Subnet> addresses;
};

// Throws Unsupported for a network of podman's that cannot be made here.
void require_attachable(const Network& network);

// The next attachment of a container that has `others`: a free interface name, default routes after theirs.
AttachedNetwork plan_attachment(const ContainerConfig& config, const Attachable& attachable,
                                const std::vector<AttachedNetwork>& others);
std::vector<AttachedNetwork> plan_attachments(const ContainerConfig& config,
                                              const std::vector<Attachable>& attachables);

// The same in plain data: one link per attachment, each with its bridge. `default_mtu` is that of bridges
// without the option.
netns::Bridge* lay_out_bridge(Arena& arena, const Network& network, std::uint32_t default_mtu);
init::Span<netns::Link> lay_out_links(Arena& arena, const std::vector<Network>& networks,
                                      const std::vector<AttachedNetwork>& attached,
                                      std::uint32_t default_mtu);

}  // namespace knarr::engine
