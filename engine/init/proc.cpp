// SPDX-License-Identifier: Apache-2.0
#include "engine/init/proc.h"

#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/vfs.h>

#include <climits>
#include <cstring>

#include "engine/init/mounts.h"

namespace knarr::engine::init {
namespace {

bool is_procfs(int fd) {
  struct statfs facts;
  if (::fstatfs(fd, &facts) < 0) return false;
  return facts.f_type == PROC_SUPER_MAGIC || failed(EXDEV);
}

bool is_procfs_root(int fd) {
  struct stat status;
  if (!is_procfs(fd) || ::fstat(fd, &status) < 0) return false;
  return status.st_ino == proc_root_inode || failed(EXDEV);
}

bool same_mount(int first_fd, int second_fd) {
  struct statx first, second;
  if (::statx(first_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &first) < 0) return false;
  if (::statx(second_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &second) < 0) return false;
  return first.stx_mnt_id == second.stx_mnt_id || failed(EXDEV);
}

// "self" is a symbolic link to a number; it is read here so that the walk below never follows a link.
bool read_self(int proc_fd, char* name, std::size_t size) {
  const ssize_t length = ::readlinkat(proc_fd, "self", name, size - 1);
  if (length <= 0) return false;
  name[length] = '\0';
  for (ssize_t i = 0; i < length; ++i) {
    if (name[i] < '0' || name[i] > '9') return failed(EXDEV);
  }
  return true;
}

// Where openat2 is missing: every component by itself, no link followed, no mount crossed.
int open_by_walk(int proc_fd, const char* path, int flags) {
  Fd current{::openat(proc_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  while (current && *path != '\0') {
    char name[NAME_MAX + 1];
    std::size_t length = 0;
    while (path[length] != '\0' && path[length] != '/') ++length;
    if (length == 0 || length > NAME_MAX || (length == 2 && std::memcmp(path, "..", 2) == 0)) {
      errno = EINVAL;
      return -1;
    }
    std::memcpy(name, path, length);
    name[length] = '\0';
    path += length;
    if (*path == '/') ++path;
    if (std::strcmp(name, "self") == 0 && !read_self(proc_fd, name, sizeof name)) return -1;
    const int how = (*path == '\0' ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC;
    current = Fd{::openat(current.get(), name, how)};
    if (!current || !same_mount(proc_fd, current.get())) return -1;
  }
  return current.release();
}

}  // namespace

int open_private_proc(bool* is_new) {
  Fd proc{make_filesystem("proc", "proc", {}, private_proc_attributes)};
  if (is_new != nullptr) *is_new = static_cast<bool>(proc);
  if (!proc) {
    proc = Fd{::open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
    if (proc && !is_procfs_root(proc.get())) proc.reset();
  }
  if (!proc) proc = Fd{::open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!proc || !is_procfs_root(proc.get())) return -1;
  return proc.release();
}

int open_in_proc(int proc_fd, const char* path, int flags) {
  Fd file{kernel::openat2(proc_fd, path, static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC),
                          RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS)};
  if (!file && (errno == ENOSYS || errno == EPERM)) file = Fd{open_by_walk(proc_fd, path, flags)};
  if (!file || !is_procfs(file.get())) return -1;
  return file.release();
}

}  // namespace knarr::engine::init
