// SPDX-License-Identifier: Apache-2.0
// What a container's network namespace shall look like. No JSON, no files: the engine decides, this module
// does.
#pragma once

namespace knarr::netns {

enum class NetworkKind {
  none,  // an own namespace with the loopback interface only
  host,  // the host's namespace
  join   // another container's, or a namespace file
};

struct NetworkPlan {
  NetworkKind kind = NetworkKind::none;
};

// A namespace that was just made has its loopback interface down; a joined one is left as it is.
constexpr bool brings_up_loopback(const NetworkPlan& plan) {
  return plan.kind == NetworkKind::none;
}

}  // namespace knarr::netns
