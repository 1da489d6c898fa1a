// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/confine.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

namespace knarr::storage {

void confine_thread(int directory_fd) {
  // Root, working directory and umask are shared by the threads of a process unless asked otherwise.
  const bool is_private = ::unshare(CLONE_FS) == 0;
  ::umask(0);
  if (!is_private) return;
  // Needs CAP_SYS_CHROOT, which an engine inside another engine's container may lack.
  if (::fchdir(directory_fd) == 0) static_cast<void>(::chroot("."));
}

}  // namespace knarr::storage
