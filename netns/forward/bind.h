// SPDX-License-Identifier: Apache-2.0
// Takes the host's ports: bound, and with TCP listening, before the container starts, so that a conflict is
// an error of the command. Called in the host's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netns/forward/target.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::netns::forward {

// `count` ports of the host one after another.
struct HostPorts {
  std::optional<IpAddress> address;  // none: all addresses of both families
  std::uint16_t first = 0;           // 0: free ones
  std::uint16_t count = 1;
  Transport transport = Transport::tcp;
};

struct BoundPort {
  std::uint16_t port = 0;
  sys::UniqueFd socket;
};

// In order of port, one socket per family: with all addresses there are two for each port (one where the
// machine has no IPv6). Throws SysError naming address, port and protocol, with a hint where the user can do
// something; nothing stays bound then.
std::vector<BoundPort> bind_ports(const HostPorts& ports);

}  // namespace knarr::netns::forward
