// SPDX-License-Identifier: Apache-2.0
// A host, a client behind a wire, and a container on a bridge, for tests of published ports.
#pragma once

#include <string>

#include "netns/forward/bind.h"
#include "netns/forward/forwarder.h"
#include "tests/namespace/net_place.h"

namespace knarr::test {

constexpr const char* host_v4 = "192.0.2.1";
constexpr const char* client_v4 = "192.0.2.2";
constexpr const char* host_v6 = "2001:db8::1";
constexpr const char* client_v6 = "2001:db8::2";
constexpr const char* gateway_v4 = "10.88.0.1";
constexpr const char* container_v4 = "10.88.0.2";
constexpr const char* second_v4 = "10.88.0.3";
constexpr const char* gateway_v6 = "fd00::1";
constexpr const char* container_v6 = "fd00::2";

struct ForwardPlace {
  ForwardPlace();

  static netns::forward::Target target(bool v4 = true, bool v6 = true, const char* address_v4 = container_v4);
  // Publishes the container's port on a free one of all of the host's addresses, which is returned.
  static std::uint16_t publish(netns::forward::Forwarder& forwarder, std::uint16_t container_port,
                               netns::forward::Transport transport = netns::forward::Transport::tcp);

  sys::UniqueFd host, client, engine, container;
};

}  // namespace knarr::test
