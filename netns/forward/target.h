// SPDX-License-Identifier: Apache-2.0
// Where connections to published ports go, and from which address they seem to come. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "netns/address.h"

namespace knarr::netns::forward {

enum class Transport : std::uint8_t { tcp, udp };

// A container in one family. `gateway` is the source where the client's own address cannot be: a client on
// the host's loopback, one of the other family.
struct Endpoint {
  IpAddress address;
  IpAddress gateway;
  bool operator==(const Endpoint&) const = default;
};

// The container's addresses on its first network. Without a network it is reached on its loopback, which is
// then both address and gateway.
struct Target {
  std::optional<Endpoint> v4, v6;
  bool keep_client = true;      // false: everything comes from the gateway
  bool keep_udp_client = true;  // false where answers would not come back (Firewall::transparent)
  bool operator==(const Target&) const = default;

  // The one a client of this family is served by: its own family's if there is one, else the other's.
  const Endpoint* endpoint_for(Family client) const;
};

// One end of a connection.
struct Peer {
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const Peer&) const = default;
};

// Who the container shall see as its client; port 0: any. `client` is one that `endpoint` serves.
Peer source_for(const Peer& client, const Endpoint& endpoint, bool keep_client);

}  // namespace knarr::netns::forward
