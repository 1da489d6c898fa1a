// SPDX-License-Identifier: Apache-2.0
// Staying with a running container: what `run`, `start -a` and `attach` do after they are connected.
#pragma once

#include "engine/engine.h"
#include "engine/lifecycle.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

struct AttachedStreams {
  Streams streams;
  std::string detach_keys;
  bool signal_proxy = true;
};

// `client`: a connected socket, or empty to connect to the monitor of the container. The exit code, nullopt
// when detached. With signal_proxy the caller's signals go to the container's init.
std::optional<int> stay_attached(const Engine& engine, const ContainerConfig& config, sys::UniqueFd client,
                                 const AttachedStreams& options);

}  // namespace knarr::engine
