// SPDX-License-Identifier: Apache-2.0
// `network connect` and `disconnect`: the container's record, and the container when it runs.
#pragma once

#include <string>

#include "engine/engine.h"

namespace knarr::engine {

// `attachment.network`: a name or id. Throws Conflict when the container is on it already, or has no networks
// of its own to be on.
void connect_network(const Engine& engine, const std::string& container_id, NetworkAttachment attachment);

// Throws Conflict when the container is not on it. The network itself may be gone.
void disconnect_network(const Engine& engine, const std::string& container_id, const std::string& network);

}  // namespace knarr::engine
