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

}  // namespace

bool add_account(int root_fd, const Operation& operation) {
  const Fd file{open_in_root(root_fd, operation.target, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY)};
  if (!file) return errno == ENOENT || errno == ENOTDIR;
  struct stat status;
  if (::fstat(file.get(), &status) < 0) return false;
  if (!S_ISREG(status.st_mode)) return failed(EINVAL);
  const Search found = search(file.get(), operation);
  if (found != Search::absent) return found == Search::present;
  if (!ends_with_newline(file.get(), status.st_size) && !append(file.get(), "\n", 1)) return false;
  return append(file.get(), operation.content, operation.content_size);
}

}  // namespace knarr::engine::init
