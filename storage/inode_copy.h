// SPDX-License-Identifier: Apache-2.0
// What copies and clones of trees (tree_copy.h, overlay/clone.h) do to a single inode.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

namespace knarr::storage {

// The marks of layers: a directory that hides what lies below it, a name that is gone.
bool is_opaque(int directory_fd);
bool is_whiteout(const struct stat& info);

// Sharing extents where the file system can. `path` is for messages.
void copy_content(int source_fd, int target_fd, const std::string& path);

// Carries xattrs from one inode to another, but for overlay's own and those this namespace may not write. For
// one thread: it keeps its buffers.
class XattrCopier {
 public:
  void copy(int source_fd, int target_fd, const std::string& path);

 private:
  std::vector<char> names_ = std::vector<char>(64 * 1024), value_ = std::vector<char>(64 * 1024);
};

}  // namespace knarr::storage
