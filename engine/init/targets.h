// SPDX-License-Identifier: Apache-2.0
// Where operations mount and what they make, below the container's root. Most work in the directory of the
// one before (/dev above all): it stays open, and what is missing in it is made without being looked for.
//
// Descriptors are O_CLOEXEC. -1 and errno on failure.
#pragma once

#include <climits>

#include "engine/init/resolve.h"

namespace knarr::engine::init {

// The last component of a path (NAME_MAX and a null).
struct Name {
  char text[256];
};

class Targets {
 public:
  explicit Targets(int root_fd) : root_fd_(root_fd) {}
  Targets(const Targets&) = delete;
  Targets& operator=(const Targets&) = delete;

  // As in resolve.h, but a file that was made is open for writing.
  int make_directory(const char* path, mode_t mode, Leaf leaf = Leaf::follow, bool* made = nullptr);
  int make_file(const char* path, mode_t mode);

  // The directory that `path`'s last component is or will be in, made when it is missing: borrowed until the
  // next call. EINVAL when the component is ".", ".." or nothing.
  int open_parent(const char* path, Name& name);

  // For who mounts on a path that was found in another way: it may lie over the directory that is open.
  void forget() { parent_.reset(); }

 private:
  const int root_fd_;
  Fd parent_;
  char parent_path_[PATH_MAX];
};

}  // namespace knarr::engine::init
