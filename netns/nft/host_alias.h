// SPDX-License-Identifier: Apache-2.0
// An address by which containers reach the host, whatever its own is at the time.
#pragma once

#include <optional>

#include "netns/netlink/socket.h"

namespace knarr::netns {

// Link-local: no network has it. (podman's, too.)
constexpr IpAddress host_alias{Family::v4, {169, 254, 1, 2}};

// From now on what goes to host_alias in this namespace goes to `host` instead; nullopt: to nobody. A table
// of its own, so that making the other one again does not lose it. Connections stay where they are. Throws
// SysError; EOPNOTSUPP and the like: this kernel lacks a part.
void apply_host_alias(netlink::Socket& filter, const std::optional<IpAddress>& host);

}  // namespace knarr::netns
