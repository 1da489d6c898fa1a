// SPDX-License-Identifier: Apache-2.0
// Locks a thread that handles an image's names into the tree it writes: whatever a bug made it do with a
// path, it could not reach beyond. The walk of TreeWriter does not rely on it.
#pragma once

namespace knarr::storage {

// For this thread and those it starts: umask 0, root and working directory are `directory_fd`, and where the
// kernel has Landlock, only what lies beneath may be written (landlock(7)). Each part that this process may
// not do is left out; other threads keep theirs.
void confine_thread(int directory_fd);

}  // namespace knarr::storage
