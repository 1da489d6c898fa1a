// SPDX-License-Identifier: Apache-2.0
// A container's files as the engine sees them, running or not.
#pragma once

#include <string>

#include "engine/container.h"
#include "engine/engine.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// The container's root directory with its volumes in place. This process must be in R with a mount namespace
// of its own (unshare(CLONE_NEWNS)). A running container's tree is that of its init. For a resting one the
// caller holds its lock: two mounts of one upper directory would spoil it.
sys::UniqueFd open_container_root(const Engine& engine, const ContainerConfig& config);

// openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS): absolute paths and links start at root_fd. Empty when
// missing.
sys::UniqueFd find_in_root(int root_fd, const std::string& path, int flags);
sys::UniqueFd open_in_root(int root_fd, const std::string& path, int flags);

}  // namespace knarr::engine
