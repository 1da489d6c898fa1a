// SPDX-License-Identifier: Apache-2.0
// Mounts by descriptor: a mount is made detached, gets its attributes, and is attached to an open directory
// or file (mount_setattr(2), fsopen(2), move_mount(2)). No path is resolved a second time.
//
// -1 or false and errno on failure. What these system calls cannot do on an older kernel or under a seccomp
// shim, the functions of legacy.h do with mount(2).
#pragma once

#include "engine/init/plan.h"
#include "engine/init/syscalls.h"

namespace knarr::engine::init {

struct MountChange {
  std::uint64_t set = 0;          // MOUNT_ATTR_*
  std::uint64_t clear = 0;        // MOUNT_ATTR_*
  std::uint64_t propagation = 0;  // MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, with MS_REC; 0: leave
  bool recursive = false;         // `set` holds for the mounts below too
};

// A new instance of a file system, detached. `source` may be null.
int make_filesystem(const char* fstype, const char* source, Span<MountOption> options,
                    std::uint64_t attributes);

// A detached copy of the mount that `fd` is in, beginning at `fd`; recursive: with the mounts below.
int clone_tree(int fd, bool recursive);

bool change_mount(int mount_fd, const MountChange& change);

// Puts a detached mount onto an open directory or file, after the change. Where mount_setattr is missing the
// change follows at once, by mount(2) on the same mount.
bool attach(int mount_fd, int target_fd, const MountChange& change = {});

// Whether errno says that a system call of the mount API is missing or shut off, rather than unable.
bool mount_api_missing();

}  // namespace knarr::engine::init
