// SPDX-License-Identifier: Apache-2.0
#include "engine/network/attach.h"

namespace knarr::engine {

namespace {

using netns::Family;
using netns::IpAddress;
using netns::forward::Endpoint;

constexpr IpAddress loopback_of(Family family) {
  IpAddress address{.family = family};
  if (family == Family::v4) address.bytes[0] = 127;
  address.bytes[family == Family::v4 ? 3 : 15] = 1;
  return address;
}

std::optional<Endpoint> endpoint_of(const AttachedNetwork& network, Family family) {
  std::optional<Endpoint> endpoint;
  for (const netns::Subnet& one : network.addresses) {
    if (one.address.family == family && !endpoint) endpoint = {one.address, one.address};
  }
  for (const IpAddress& gateway : network.gateways) {
    if (endpoint && gateway.family == family) endpoint->gateway = gateway;
  }
  return endpoint;
}

}  // namespace

netns::forward::Target forward_target(const std::vector<AttachedNetwork>& networks) {
  netns::forward::Target target;
  for (const Family family : {Family::v4, Family::v6}) {
    const IpAddress loopback = loopback_of(family);
    (family == Family::v4 ? target.v4 : target.v6) =
        networks.empty() ? Endpoint{loopback, loopback} : endpoint_of(networks.front(), family);
  }
  return target;
}

}  // namespace knarr::engine
