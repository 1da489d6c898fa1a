// SPDX-License-Identifier: Apache-2.0
// R, the user's shared user namespace: 0 is the user, 1.. the subordinate ids. Every container of the user
// lives in a namespace nested in it. It has no keeper process: whoever needs it makes it anew or joins it
// through a living process (a monitor) that is in it.
#pragma once

#include <string>
#include <vector>

#include "rootless/host.h"
#include "rootless/sys/process.h"

namespace knarr::rootless {

enum class Entered {
  already,   // rootful, or inside a namespace somebody made for us
  joined,    // through one of the candidates
  created,   // new, with newuidmap and newgidmap
  single_id  // new, one id only: no ranges or no helpers (a warning belongs to the user, once)
};

// Moves this single-threaded process into R. Afterwards it is uid 0 there with every capability in it; its
// pid, terminal and working directory stay. `candidates` are processes believed to be in R; each is checked
// (identity, its namespace's parent, owner and map) before it is joined. The kernel shows the namespace only
// of a dumpable process (PR_SET_DUMPABLE, prctl(2)), so one that wants to be joined through must stay
// dumpable. The map is written by newuidmap and newgidmap, which a short-lived child outside runs in
// parallel. Throws SysError with a hint that names the cure when user namespaces are forbidden here.
Entered enter_r(const HostFacts& host, const std::vector<sys::ProcessId>& candidates);

// What forbids user namespaces to this process, in words for a hint, given the errno of the refused call: the
// sysctl that is the cause if one is. Empty for an errno that has other reasons.
std::string explain_forbidden_user_namespace(int code);

// Why R has a single id, in words for a warning; empty when it has ranges.
std::string explain_single_id(const HostFacts& host);

}  // namespace knarr::rootless
