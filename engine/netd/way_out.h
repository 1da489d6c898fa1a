// SPDX-License-Identifier: Apache-2.0
// The way out of the engine's own network namespace (rootless): an Ethernet device there, at whose other end
// a program of the system, pasta or slirp4netns, opens the host's sockets for what comes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "netns/address.h"
#include "netns/namespace.h"

namespace knarr::engine {

// The device's name, which the packet filter needs for masquerading.
constexpr const char* way_out_interface = "out0";

enum class WayOutKind { none, pasta, slirp4netns };
std::string_view way_out_words(WayOutKind kind);  // as in the state file RUN/net/way-out

struct WayOutProgram {
  WayOutKind kind = WayOutKind::none;
  std::string path;
};
// In the PATH: pasta, but slirp4netns before a pasta that is too old to be relied on.
WayOutProgram find_way_out();
bool is_way_out_installed();

// What both ends agree on. The addresses are seen by nobody but the program.
struct WayOutAddresses {
  netns::Subnet v4, v6;  // the device's
  netns::IpAddress gateway_v4, gateway_v6;
};
WayOutAddresses way_out_addresses(WayOutKind kind);

// Makes the device with its addresses and default routes. It stays when no program has it: packets then wait
// for their gateway's link address, for up to 20 seconds, so the first container need not wait for a program.
// Once more is fine. Throws Unsupported without /dev/net/tun.
void make_way_out_device(netns::Namespace& engine, WayOutKind kind);

// Containers behind pasta must not have more than this on its way (net.ipv4.tcp_wmem): what the host's socket
// cannot take at once pasta drops, and the sender hears of it only by a time-out.
constexpr std::string_view pasta_tcp_wmem = "4096 16384 262144";

// The host's address towards the outside, what 169.254.1.2 (host.containers.internal) is translated to in the
// engine's namespace. nullopt without a route of this family. To be called in the host's namespace.
std::optional<netns::IpAddress> primary_host_address(netns::Family family);

}  // namespace knarr::engine
