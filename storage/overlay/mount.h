// SPDX-License-Identifier: Apache-2.0
// A root file system for the engine's own eyes: copy-up, cp, export. Containers mount theirs in init.
#pragma once

#include "rootless/sys/unique_fd.h"
#include "storage/overlay/driver.h"

namespace knarr::storage {

// A detached mount of the tree (fsmount(2), open_tree(2)), to be used relative to the descriptor or moved to
// a place; without one it goes away with the descriptor. Needs a mount namespace owned by the caller's user
// namespace.
sys::UniqueFd mount_detached(const RootfsPlan& plan);
// The lower layers alone.
sys::UniqueFd mount_read_only(RootfsPlan plan);
// What is seen at the path, without what is mounted below it.
sys::UniqueFd clone_mount(const std::string& path);

}  // namespace knarr::storage
