// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/confine.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "rootless/sys/confine.h"

namespace knarr::storage {
namespace {

void change_root(int directory_fd) {
  // Threads share these unless asked otherwise.
  const bool is_private = ::unshare(CLONE_FS) == 0;
  ::umask(0);
  if (!is_private) return;
  // An engine inside another engine's container may lack the capability.
  if (::fchdir(directory_fd) == 0 && ::chroot(".") < 0) return;
}

constexpr std::array network_calls = {SYS_socket, SYS_socketpair, SYS_connect, SYS_bind,
                                      SYS_listen, SYS_accept,     SYS_accept4};

}  // namespace

void confine_thread(int directory_fd) {
  change_root(directory_fd);
  sys::deny_new_privileges();
  const sys::FilesBelow own{directory_fd, sys::FileAccess::everything};
  sys::restrict_files({&own, 1});
  sys::deny_calls({sys::privileged_calls, network_calls});
}

}  // namespace knarr::storage
