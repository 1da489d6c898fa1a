// SPDX-License-Identifier: Apache-2.0
// Who publishes a port: for the words of a conflict.
#pragma once

#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/network/port_mapping.h"

namespace knarr::engine {

// The name of a running container that publishes one of these ports of the host; nullopt when none does.
std::optional<std::string> find_port_owner(const Engine& engine, const PortMapping& wanted);

// Whether both want the same port of the same address. Pure.
bool collide(const PortMapping& one, const PortMapping& other);

}  // namespace knarr::engine
