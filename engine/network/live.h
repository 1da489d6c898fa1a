// SPDX-License-Identifier: Apache-2.0
// What changes of networks mean to containers that run.
#pragma once

#include <string>

#include "engine/engine.h"

namespace knarr::engine {

// The container's lock is held, and its record says already what it shall have.
void attach_live(const Engine& engine, const ContainerConfig& config, const NetworkAttachment& attachment);
void detach_live(const Engine& engine, const ContainerConfig& config, const std::string& network);

// Makes again what a running container's networks lack: interfaces, rules, names, ports. Throws Conflict when
// it does not run.
void reload_networks(const Engine& engine, const std::string& container_id);

// Takes away what is left of a network that no container uses: its bridge.
void remove_live_network(const Engine& engine, const Network& network);

}  // namespace knarr::engine
