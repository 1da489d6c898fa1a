// SPDX-License-Identifier: Apache-2.0
// Writing to descriptors that other processes share.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace knarr::engine {

// progress: some or all was written; full: poll(2) for POLLOUT; closed: the reader is gone; failed: see
// errno.
enum class WriteResult { progress, full, closed, failed };

// Never blocks where that can be avoided, so that signals are served while nobody reads, and never by
// O_NONBLOCK, which would be set for the others as well. The caller blocks SIGPIPE.
class SharedOutput {
 public:
  explicit SharedOutput(int fd);  // borrowed; -1: what is written is dropped

  int fd() const { return fd_; }
  bool must_wait() const { return kind_ == Kind::chunked; }  // for poll(2), before each write

  // Takes what was written off the front of `bytes`.
  WriteResult write_some(std::string_view& bytes);

 private:
  enum class Kind { none, plain, pipe, socket, chunked };

  ssize_t try_write(std::string_view bytes);

  int fd_;
  Kind kind_ = Kind::plain;
};

}  // namespace knarr::engine
