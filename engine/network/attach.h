// SPDX-License-Identifier: Apache-2.0
// What one network gives to a running container, apart from its interface: addresses and names, which live
// and die with the container's monitor.
#pragma once

#include "engine/engine.h"
#include "engine/network/run_record.h"
#include "netns/forward/target.h"

namespace knarr::engine {

// Addresses for `wish`, and the plan of the interface beside those of `others`. Throws Conflict naming who
// has the address that was wished for.
AttachedNetwork take_attachment(const Engine& engine, const ContainerConfig& config,
                                const NetworkAttachment& wish, const Network& network,
                                const sys::ProcessId& monitor, const std::vector<AttachedNetwork>& others);

// netd knows of the network and of the container's names on it.
void publish_attachment(const Engine& engine, const Network& network, const AttachedNetwork& attached,
                        const std::string& container_id, const sys::ProcessId& monitor);

void give_back_attachment(const Engine& engine, const AttachedNetwork& attached,
                          const std::string& container_id);

// What a run that is over has left, whose monitor was killed. Its run directory is still there.
void give_back_networks(const Engine& engine, const std::string& container_id);

// Where containers of these networks reach the host (host.containers.internal); none when all are internal.
std::optional<netns::IpAddress> host_address(const Engine& engine, const std::vector<Network>& networks);

// The MTU of bridges without the option.
std::uint32_t default_mtu(const Engine& engine);

// Where published ports lead: the first network's addresses, without any the container's loopback. Pure.
netns::forward::Target forward_target(const std::vector<AttachedNetwork>& networks);

}  // namespace knarr::engine
