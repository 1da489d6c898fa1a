// SPDX-License-Identifier: Apache-2.0
// Locks that die with their process: flock(2) on a directory or file the lock is about. No lock table, no
// lock files to leak.
#pragma once

#include <optional>
#include <string>

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

class Lock {
 public:
  enum class Mode { shared, exclusive };

  // Opens `path` below dir_fd (a directory or a file) and waits for the lock. Throws NotFound when the path
  // does not exist or is renamed away while waiting.
  static Lock acquire(int dir_fd, const std::string& path, Mode mode);
  // nullopt when somebody else holds it.
  static std::optional<Lock> try_acquire(int dir_fd, const std::string& path, Mode mode);

  int fd() const { return fd_.get(); }
  UniqueFd release() { return std::move(fd_); }  // the lock lives on in the descriptor

 private:
  explicit Lock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace knarr::sys
