// SPDX-License-Identifier: Apache-2.0
// Walls a thread builds around itself before it handles what strangers wrote: landlock(7), seccomp(2). For
// good, and for those threads and processes it starts later. What this kernel cannot do is left out. Both
// need no_new_privs (see deny_new_privileges) or a capability.
#pragma once

#include <initializer_list>
#include <span>

namespace knarr::sys {

void deny_new_privileges();

enum class FileAccess { read, everything };  // neither runs programs
struct FilesBelow {
  int directory_fd;
  FileAccess access;
};
// No file but those below these directories is opened, made or removed. Open ones stay as they are.
void restrict_files(std::span<const FilesBelow> allowed);

// What nobody needs who only reads, writes and computes: running programs, other processes, namespaces and
// mounts, ids, and rarely used parts of the kernel.
extern const std::span<const int> privileged_calls;
// These system calls fail with EPERM.
void deny_calls(std::initializer_list<std::span<const int>> lists);

}  // namespace knarr::sys
