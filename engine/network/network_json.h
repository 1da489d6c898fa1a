// SPDX-License-Identifier: Apache-2.0
// A network's file: podman's members, in its words.
#pragma once

#include <string>
#include <string_view>

#include "engine/network/network.h"

namespace knarr::engine {

std::string render_network(const Network& network);
// Unknown members are ignored. Throws InvalidArgument that names the member, for what is missing or wrong.
Network parse_network(std::string_view json);

}  // namespace knarr::engine
