// SPDX-License-Identifier: Apache-2.0
// Filling an empty volume with what the image has at its mount point.
#pragma once

#include <string>

namespace knarr::storage {

// Copies the content of `container_path` below tree_fd (the container's root; links resolve inside it) into
// the directory `target`, with owners, modes, times, xattrs and hard links, and gives `target` itself owner
// and mode of the original. Does nothing when the path is missing or no directory, or when `target` is not
// empty. Run inside R.
void copy_up(int tree_fd, const std::string& container_path, const std::string& target);

}  // namespace knarr::storage
