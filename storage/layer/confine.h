// SPDX-License-Identifier: Apache-2.0
// Locks a thread that handles an image's names into the tree it writes: whatever a bug made it do with a
// path, it could not reach beyond. The walk of TreeWriter does not rely on it. It is no wall against stolen
// control: threads share their memory.
#pragma once

namespace knarr::storage {

// For this thread and those it starts later:
//   umask 0; root and working directory are `directory_fd` (chroot(2), needs CAP_SYS_CHROOT);
//   no file outside may be opened, made or removed (landlock(7), ABI 2 and later);
//   no program is run, no socket made, no namespace, mount or foreign process touched (seccomp(2)).
// Parts this kernel or process cannot do are left out. The other threads of the process keep theirs.
void confine_thread(int directory_fd);

}  // namespace knarr::storage
