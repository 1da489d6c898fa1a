// SPDX-License-Identifier: Apache-2.0
#include "engine/init/accounts.h"

#include <sys/stat.h>

#include "engine/init/context.h"
#include "engine/init/resolve.h"
#include "engine/init/users.h"

namespace knarr::engine::init {
namespace {

LineReader::Buffer line_buffer;  // too big for a stack

long read_bytes(void* state, char* buffer, std::size_t size) {
  ssize_t got;
  do {
    got = ::read(*static_cast<int*>(state), buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

bool has_id(const Text& line, const Operation& operation) {
  PasswdEntry user;
  GroupEntry group;
  if (operation.kind == Operation::Kind::user_entry) {
    return parse_passwd_line(line, user) && user.uid == operation.uid;
  }
  return parse_group_line(line, group) && group.gid == operation.gid;
}

enum class Search { present, absent, failed };

Search search(int fd, const Operation& operation) {
  LineReader lines({read_bytes, &fd}, line_buffer);
  Text line;
  while (lines.next(line)) {
    if (has_id(line, operation)) return Search::present;
  }
  errno = lines.error();
  return lines.error() == 0 ? Search::absent : Search::failed;
}

// The last line may lack its end.
bool ends_with_newline(int fd, off_t size) {
  char last = '\n';
  return size == 0 || (::pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

bool append(int fd, const char* bytes, std::size_t size) {
  const ssize_t written = ::write(fd, bytes, size);
  return written == static_cast<ssize_t>(size) || (written >= 0 && failed(ENOSPC));
}

// A file that was mounted there, or that a link leads to on a volume, belongs to somebody else: what is
// written into it would outlive the container. -1 and errno on failure.
int is_on_mount_of(int root_fd, int file_fd) {
  struct statx root, file;
  constexpr unsigned wanted = STATX_BASIC_STATS | STATX_MNT_ID;
  if (::statx(root_fd, "", AT_EMPTY_PATH, wanted, &root) < 0) return -1;
  if (::statx(file_fd, "", AT_EMPTY_PATH, wanted, &file) < 0) return -1;
  // Kernels before 5.8 do not number mounts for us; the file system has to do.
  if ((root.stx_mask & file.stx_mask & STATX_MNT_ID) != 0) return root.stx_mnt_id == file.stx_mnt_id;
  return root.stx_dev_major == file.stx_dev_major && root.stx_dev_minor == file.stx_dev_minor;
}

bool add_entry(int fd, off_t size, const Operation& operation) {
  const Search found = search(fd, operation);
  if (found != Search::absent) return found == Search::present;
  if (!ends_with_newline(fd, size) && !append(fd, "\n", 1)) return false;
  return append(fd, operation.content, operation.content_size);
}

}  // namespace

bool add_account(int root_fd, const Operation& operation) {
  const Fd place{open_in_root(root_fd, operation.target, O_PATH)};
  if (!place) return errno == ENOENT || errno == ENOTDIR;
  const int own = is_on_mount_of(root_fd, place.get());
  if (own <= 0) return own == 0;
  struct stat status;
  if (::fstat(place.get(), &status) < 0) return false;
  if (!S_ISREG(status.st_mode)) return failed(EINVAL);
  // By its descriptor: by its path it could be another one by now.
  const Fd file{::open(FdPath(place.get()).text, O_RDWR | O_APPEND | O_CLOEXEC)};
  return file && add_entry(file.get(), status.st_size, operation);
}

}  // namespace knarr::engine::init
