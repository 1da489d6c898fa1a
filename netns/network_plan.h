// SPDX-License-Identifier: Apache-2.0
// What networks and a container's part in them shall look like. Plain data: it is laid out by the command and
// read by the monitor, in memory that both share. The engine decides, this module does.
#pragma once

#include <cstdint>

#include "netns/address.h"

namespace knarr::netns {

constexpr std::size_t interface_name_size = 16;  // IFNAMSIZ, with the terminating zero

struct InterfaceAddress {
  IpAddress address;
  std::uint8_t prefix = 0;
};

// Default routes of several links need different metrics: IPv6 would take equal ones in turn.
struct Route {
  Subnet destination;
  IpAddress gateway;
  std::uint32_t metric = 0;  // 0: the kernel's choice
};

// What containers of other networks can reach: all of a network that is not isolated, nothing of an isolated
// one when they are isolated themselves, nothing at all of a strict one.
enum class Isolation : std::uint8_t { none, isolated, strict };

// What a bridge of a rootless engine has: no packet on it ever meets a wire, and large ones cost least.
constexpr std::uint32_t rootless_mtu = 65520;

// A network: a bridge in the engine's network namespace, which has the gateways' addresses.
struct Bridge {
  char name[interface_name_size] = {};
  std::uint32_t mtu = rootless_mtu;  // bytes; of its ports and the containers' ends, too
  const InterfaceAddress* addresses = nullptr;
  int address_count = 0;
  bool internal = false;  // no way out
  Isolation isolation = Isolation::isolated;
};

// A network interface as the container sees it.
struct Interface {
  char name[interface_name_size] = {};
  MacAddress mac{};
  const InterfaceAddress* addresses = nullptr;
  int address_count = 0;
  const Route* routes = nullptr;
  int route_count = 0;
};

// On a bridge: one end of a veth pair; the other is a port of the bridge.
struct Link : Interface {
  const Bridge* bridge = nullptr;
  char host_name[interface_name_size] = {};  // the bridge's end; empty: the kernel's choice (vethN)
};

enum class MacvlanMode : std::uint8_t { bridge, private_mode, vepa, passthru };

// On the network of one of the host's interfaces. For a rootful engine.
struct Macvlan : Interface {
  char parent[interface_name_size] = {};  // in the host's namespace; empty: that of the default route
  MacvlanMode mode = MacvlanMode::bridge;
  std::uint32_t mtu = 0;  // bytes; 0: the parent's
};

}  // namespace knarr::netns
