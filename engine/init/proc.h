// SPDX-License-Identifier: Apache-2.0
// A procfs that no container can have changed, for what init writes there. /proc by its path is not trusted:
// a container's mounts may cover it or parts of it.
#pragma once

#include "engine/init/syscalls.h"

namespace knarr::engine::init {

constexpr ino_t proc_root_inode = 1;  // of the root directory of every procfs

// A directory descriptor of procfs for this process's pid namespace: a fresh detached mount, else a clone of
// /proc without what is mounted below it, else /proc itself after checking that it is a procfs's root.
// `is_new`, when not null, tells whether it is the first: such a one can be mounted for the container.
int open_private_proc(bool* is_new = nullptr);
constexpr std::uint64_t private_proc_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// Opens a file of it, "self/oom_score_adj" or "sys/net/ipv4/ip_forward", and nothing that is mounted over it.
int open_in_proc(int proc_fd, const char* path, int flags);

}  // namespace knarr::engine::init
