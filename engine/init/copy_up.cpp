// SPDX-License-Identifier: Apache-2.0
#include "engine/init/copy_up.h"

#include <linux/limits.h>
#include <sys/stat.h>

#include <cstring>

#include "engine/init/syscalls.h"

namespace knarr::engine::init {
namespace {

constexpr int max_depth = 64;  // each level has a buffer on the stack

struct DirectoryRecord {  // linux_dirent64 of getdents64(2)
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

// Static: init has one thread, and a file is copied whole before the next one.
char content[64 * 1024];
char link_target[PATH_MAX];

bool write_whole(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool copy_content(int source_fd, int target_fd) {
  for (;;) {
    const ssize_t got = ::read(source_fd, content, sizeof content);
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || !write_whole(target_fd, content, static_cast<std::size_t>(got))) return false;
  }
}

// The owner first: chown(2) takes the set-id bits away.
bool set_attributes(int fd, const struct stat& status) {
  return ::fchown(fd, status.st_uid, status.st_gid) == 0 && ::fchmod(fd, status.st_mode & 07777) == 0;
}

bool copy_file(int source_dir, int target_dir, const char* name, const struct stat& status) {
  const Fd source{::openat(source_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!source) return false;
  const Fd target{::openat(target_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  return target && copy_content(source.get(), target.get()) && set_attributes(target.get(), status);
}

bool copy_link(int source_dir, int target_dir, const char* name, const struct stat& status) {
  const ssize_t length = ::readlinkat(source_dir, name, link_target, sizeof link_target - 1);
  if (length < 0) return false;
  link_target[length] = '\0';
  return ::symlinkat(link_target, target_dir, name) == 0 &&
         ::fchownat(target_dir, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) == 0;
}

bool copy_fifo(int target_dir, const char* name, const struct stat& status) {
  return ::mknodat(target_dir, name, S_IFIFO | (status.st_mode & 0777), 0) == 0 &&
         ::fchownat(target_dir, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) == 0;
}

bool copy_entries(int source_fd, int target_fd, int depth);

bool copy_directory(int source_dir, int target_dir, const char* name, const struct stat& status, int depth) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const Fd source{::openat(source_dir, name, flags)};
  if (!source || ::mkdirat(target_dir, name, 0700) < 0) return false;
  const Fd target{::openat(target_dir, name, flags)};
  return target && copy_entries(source.get(), target.get(), depth + 1) &&
         set_attributes(target.get(), status);
}

bool copy_entry(int source_dir, int target_dir, const char* name, int depth) {
  struct stat status;
  if (::fstatat(source_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (S_ISDIR(status.st_mode)) return copy_directory(source_dir, target_dir, name, status, depth);
  if (S_ISREG(status.st_mode)) return copy_file(source_dir, target_dir, name, status);
  if (S_ISLNK(status.st_mode)) return copy_link(source_dir, target_dir, name, status);
  return !S_ISFIFO(status.st_mode) || copy_fifo(target_dir, name, status);
}

bool copy_entries(int source_fd, int target_fd, int depth) {
  if (depth == max_depth) return failed(ELOOP);
  alignas(DirectoryRecord) char records[4096];
  for (;;) {
    const long got = ::syscall(SYS_getdents64, source_fd, records, sizeof records);
    if (got <= 0) return got == 0;
    for (long at = 0; at < got;) {
      const auto* record = reinterpret_cast<const DirectoryRecord*>(records + at);
      at += record->size;
      if (std::strcmp(record->name, ".") == 0 || std::strcmp(record->name, "..") == 0) continue;
      if (!copy_entry(source_fd, target_fd, record->name, depth)) return false;
    }
  }
}

}  // namespace

bool copy_up(int source_fd, int target_fd) {
  return copy_entries(source_fd, target_fd, 0);
}

}  // namespace knarr::engine::init
