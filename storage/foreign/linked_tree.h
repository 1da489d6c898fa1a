// SPDX-License-Identifier: Apache-2.0
// A layer's tree of another store made again in a directory of ours: directories anew, everything else by
// hard links, so that it costs neither time nor space. Where links are impossible (another file system, too
// many links) files are copied, sharing extents if they can.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace knarr::storage {

struct LinkedTree {
  std::uint64_t tree_bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t copied = 0;                                  // of them not linked
  std::vector<std::pair<std::string, std::uint64_t>> files;  // regular ones: path below the root, size
};

enum class TreeUse {
  link,   // make the tree in target_fd
  check,  // only look whether it could be used as it is, for a lower layer of an overlay with userxattr
};

// Must run inside R; target_fd is an empty directory (link), whose owner and mode stay as they are. Overlay's
// marks become those of a mount with userxattr. Throws Unsupported when the tree has what a tree of ours
// cannot: whiteouts as files, owners in attributes, redirects, owners that are not mapped.
LinkedTree link_tree(int source_fd, int target_fd, TreeUse use, unsigned threads);

// Owner, mode, time and attributes of one directory to another.
void copy_directory_attributes(int source_fd, int target_fd);

}  // namespace knarr::storage
