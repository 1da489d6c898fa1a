// SPDX-License-Identifier: Apache-2.0
#include "engine/shared_output.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace knarr::engine {

SharedOutput::SharedOutput(int fd) : fd_(fd) {
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) < 0) {
    kind_ = Kind::none;
  } else if (S_ISFIFO(status.st_mode)) {
    kind_ = Kind::pipe;
  } else if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::socket;
  } else if (S_ISCHR(status.st_mode) && ::isatty(fd)) {
    kind_ = Kind::chunked;
  }
}

WriteResult SharedOutput::write_some(std::string_view& bytes) {
  if (kind_ == Kind::none) bytes = {};
  while (!bytes.empty()) {
    const ssize_t wrote = try_write(bytes);
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      // Whether there is room for more only poll(2) knows.
      if (must_wait()) return WriteResult::progress;
    } else if (errno == EAGAIN) {
      return WriteResult::full;
    } else if (errno == EPIPE || (errno == EIO && kind_ == Kind::chunked)) {
      return WriteResult::closed;  // EIO: a terminal that was hung up
    } else if (errno != EINTR) {
      return WriteResult::failed;
    }
  }
  return WriteResult::progress;
}

ssize_t SharedOutput::try_write(std::string_view bytes) {
  switch (kind_) {
    case Kind::socket:
      return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::pipe: {
      const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
      const ssize_t wrote = ::pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
      if (wrote >= 0 || errno != EOPNOTSUPP) return wrote;
      kind_ = Kind::chunked;  // before Linux 6.4
      errno = EAGAIN;
      return -1;
    }
    case Kind::chunked:
      // A pipe that is ready takes this much at once (pipe(7)).
      return ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    default:
      return ::write(fd_, bytes.data(), bytes.size());
  }
}

}  // namespace knarr::engine
