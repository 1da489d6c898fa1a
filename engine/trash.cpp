// SPDX-License-Identifier: Apache-2.0
#include "engine/trash.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"

namespace knarr::engine {

namespace {

// The caller's output may be a pipe that somebody reads to its end.
void close_standard_streams() {
  const sys::UniqueFd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(null.get(), fd);
}

}  // namespace

void empty_trash_in_background(const Engine& engine) {
  if (!engine.store().has_trash()) return;
  sys::fork_child([&] {
    ::setsid();
    close_standard_streams();
    ::setpriority(PRIO_PROCESS, 0, 19);
    // Among the caller's descriptors may be locks on what is to be deleted.
    ::close_range(3, ~0u, 0);
    rootless::enter_r(engine.host(), engine.r_candidates());
    storage::Store::open(engine.store().root()).empty_trash();
    return 0;
  });
}

}  // namespace knarr::engine
