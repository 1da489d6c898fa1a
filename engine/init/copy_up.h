// SPDX-License-Identifier: Apache-2.0
// Filling a new file system with what the image has at its place.
#pragma once

namespace knarr::engine::init {

// Copies what is in one open directory into another, empty one: directories, files, links, FIFOs, with owners
// and modes. Links are copied, never followed; what else there is stays behind. False and errno on failure,
// ELOOP when the tree is too deep.
bool copy_up(int source_fd, int target_fd);

}  // namespace knarr::engine::init
