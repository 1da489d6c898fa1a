// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/lock.h"

#include <sys/file.h>

#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::sys {
namespace {

// False when somebody else holds it (only with LOCK_NB).
bool take(int fd, int operation, const std::string& path) {
  while (::flock(fd, operation) < 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw_errno("locking ", path);
  }
  return true;
}

// Whoever held the lock may have removed or replaced what the path means.
bool is_still_at(int fd, int dir_fd, const std::string& path) {
  struct stat held;
  if (::fstat(fd, &held) < 0) throw_errno("looking at ", path);
  const std::optional<struct stat> there = stat_at(dir_fd, path);
  return there && there->st_dev == held.st_dev && there->st_ino == held.st_ino;
}

std::optional<UniqueFd> lock_path(int dir_fd, const std::string& path, int operation) {
  for (;;) {
    UniqueFd fd = find_at(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) throw NotFound(concat("locking ", path, ": ", errno_words(ENOENT)));
    if (!take(fd.get(), operation, path)) return std::nullopt;
    if (is_still_at(fd.get(), dir_fd, path)) return fd;
  }
}

int flock_operation(Lock::Mode mode) {
  return mode == Lock::Mode::shared ? LOCK_SH : LOCK_EX;
}

}  // namespace

Lock Lock::acquire(int dir_fd, const std::string& path, Mode mode) {
  return Lock(std::move(*lock_path(dir_fd, path, flock_operation(mode))));
}

std::optional<Lock> Lock::try_acquire(int dir_fd, const std::string& path, Mode mode) {
  std::optional<UniqueFd> fd = lock_path(dir_fd, path, flock_operation(mode) | LOCK_NB);
  if (!fd) return std::nullopt;
  return Lock(std::move(*fd));
}

}  // namespace knarr::sys
