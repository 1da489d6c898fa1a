// SPDX-License-Identifier: Apache-2.0
// The one table of the engine, `inet knarr` (see nft(8)): which packets may go from one network to another
// and out, and what they look like then. A network is an element of its sets, never a rule.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "netns/netlink/socket.h"
#include "netns/network_plan.h"

namespace knarr::netns {

struct FirewallPlan {
  // What leaves by this interface gets its address; empty: all that comes from a bridge and goes to none (in
  // the host's namespace).
  std::string way_out;
  bool transparent = true;  // flows of UDP with the client's address, see transparent.h
  std::span<const Bridge> bridges;
};

// What this kernel has of it; where something is missing, `reason` says it in the kernel's words.
struct Firewall {
  bool isolation = false;    // networks are kept apart, internal ones have no way out
  bool masquerade = false;   // without it there is no way out
  bool transparent = false;  // without it published UDP ports do not show the client's address
  std::string reason;
};

// Makes the table, or makes it again in one step: nothing passes between. Throws SysError when the kernel has
// nf_tables and refuses for another reason (EPERM).
Firewall apply_firewall(netlink::Socket& filter, const FirewallPlan& plan);

enum class TableState { there, missing };
// The table learns of a network, or how it is now; missing: apply_firewall is to be called with all of them.
TableState apply_bridge_rules(netlink::Socket& filter, const Bridge& bridge);
// The table forgets it.
TableState remove_bridge_rules(netlink::Socket& filter, std::string_view bridge_name);

// Removes the table. Missing is fine.
void remove_firewall(netlink::Socket& filter);

}  // namespace knarr::netns
