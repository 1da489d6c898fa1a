// SPDX-License-Identifier: Apache-2.0
// Paths inside a container's root file system. The root is a descriptor and no path is resolved outside of
// it: symbolic links, absolute ones and ".." included, end inside (openat2(2): RESOLVE_IN_ROOT), magic links
// of procfs are not followed. Where openat2 is missing or denied the same is done one component at a time,
// each opened without following it.
//
// Descriptors are O_CLOEXEC. -1 and errno on failure.
#pragma once

#include <sys/types.h>

#include "engine/init/syscalls.h"

namespace knarr::engine::init {

// What becomes of a symbolic link in the last component. Those before it are always followed.
enum class Leaf {
  follow,
  refuse  // ELOOP
};

// Opens what exists. `flags`: O_PATH, or an access mode; O_DIRECTORY works with both.
int open_in_root(int root_fd, const char* path, int flags, Leaf leaf = Leaf::follow);

// An O_PATH descriptor of the directory (or, for the second, of whatever is no directory), made when it is
// missing, with all that leads to it (0755). A dangling symbolic link gets its target made. `made`, when not
// null, tells whether the last component is new.
int make_directory_in_root(int root_fd, const char* path, mode_t mode, Leaf leaf = Leaf::follow,
                           bool* made = nullptr);
int make_file_in_root(int root_fd, const char* path, mode_t mode, Leaf leaf = Leaf::follow);

}  // namespace knarr::engine::init
