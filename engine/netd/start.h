// SPDX-License-Identifier: Apache-2.0
// knarr-netd from outside: one process per user that answers the containers' name queries and keeps the way
// out of their networks open. It is started by whoever needs it, ends by itself when the last container is
// gone, and keeps nothing but open sockets: killed, it is started again by the next one who needs it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netns/address.h"
#include "rootless/sys/process.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// The sockets a network's names are served on.
struct DnsSockets {
  std::string network;  // its name
  std::vector<sys::UniqueFd> sockets;
};

// Port 53 of each gateway in that network namespace, UDP and TCP. The addresses need not be there yet. From
// now on queries wait in the sockets, so whoever opens them before a container runs loses none. Throws
// SysError naming the address: another program has the port (rootful).
std::vector<sys::UniqueFd> open_dns_sockets(int netns_fd, std::span<const netns::IpAddress> gateways);

struct NetdPlan {
  std::string directory;  // RUN/net, absolute
  std::string program;    // knarr-netd
  int engine_netns = -1;  // borrowed
  bool way_out = false;   // rootless: the engine's network namespace has no other one
};

// A netd that was started just now: it holds the engine's network namespace by this descriptor.
struct StartedNetd {
  sys::ProcessId process;
  int engine_netns = -1;
};

// Sees to it that netd runs and serves these networks. To be called with the lock of RUN/net held, and after
// the interface exists for whose sake it is called: netd leaves when it gets that lock and finds none. Does
// not wait for netd; nullopt when one was there.
std::optional<StartedNetd> ensure_netd(const NetdPlan& plan, std::vector<DnsSockets> networks);

// Asked without taking anything.
bool is_netd_running(const std::string& directory);

// Tells a netd that runs that a network is gone: its addresses may be another one's. With the same lock held.
void forget_network(const std::string& directory, const std::string& network);

// Tells a netd that runs to end. Does not wait for its end. With the same lock held.
void stop_netd(const std::string& directory);

}  // namespace knarr::engine
