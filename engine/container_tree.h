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

// Its root file system alone as a detached mount, to be put somewhere in the namespace the process is in. The
// same conditions.
sys::UniqueFd detach_container_tree(const Engine& engine, const ContainerConfig& config);

}  // namespace knarr::engine
