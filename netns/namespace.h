// SPDX-License-Identifier: Apache-2.0
// A network namespace at work: the sockets to configure it by, and its sysctls.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "netns/netlink/socket.h"

namespace knarr::netns {

struct Namespace {
  int fd = -1;             // borrowed
  netlink::Socket route;   // NETLINK_ROUTE
  netlink::Socket filter;  // NETLINK_NETFILTER, where it was asked for and the kernel has it
  bool ipv6 = false;       // whether the kernel has IPv6 switched on
};

enum class Filtering { no, yes };

// The namespace must outlive the result's use of fd. Conditions as in_network_namespace. `act` runs there,
// too.
Namespace open_namespace(int netns_fd, Filtering filtering, const std::function<void(Namespace&)>& act = {});

// Writes below /proc/sys/net of the namespace that the calling process is in ("ipv4/ip_forward"). False when
// this kernel has no such name.
bool write_net_sysctl(const std::string& name, std::string_view value);

// Whether the errno of a request is a kernel's that has no IPv6, or has it switched off there.
bool says_no_ipv6(int code);

}  // namespace knarr::netns
