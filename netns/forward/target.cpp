// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/target.h"

namespace knarr::netns::forward {
namespace {

// Means another host, or none, in another namespace.
bool belongs_to_one_link(const IpAddress& address) {
  if (address.family == Family::v4) return address.bytes[0] == 169 && address.bytes[1] == 254;
  return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

}  // namespace

const Endpoint* Target::endpoint_for(Family client) const {
  const std::optional<Endpoint>&own = client == Family::v4 ? v4 : v6, &other = client == Family::v4 ? v6 : v4;
  if (own) return &*own;
  return other ? &*other : nullptr;
}

Peer source_for(const Peer& client, const Endpoint& endpoint, bool keep_client) {
  const bool usable = keep_client && client.address.family == endpoint.address.family &&
                      client.address != endpoint.address && !is_loopback(client.address) &&
                      !is_unspecified(client.address) && !belongs_to_one_link(client.address);
  return usable ? client : Peer{endpoint.gateway, 0};
}

}  // namespace knarr::netns::forward
