// SPDX-License-Identifier: Apache-2.0
// A root file system for the engine's own eyes: copy-up, cp, export. Containers mount theirs in init.
#pragma once

#include "rootless/sys/unique_fd.h"
#include "storage/overlay/driver.h"

namespace knarr::storage {

// A detached mount of the tree (fsmount(2)), to be used by openat2 relative to the descriptor; it goes away
// with it. Needs a mount namespace owned by the caller's user namespace. For drivers that have a directory
// the descriptor is that directory.
sys::UniqueFd mount_detached(const RootfsPlan& plan);

}  // namespace knarr::storage
