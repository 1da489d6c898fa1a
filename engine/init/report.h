// SPDX-License-Identifier: Apache-2.0
// What init says to its parent: numbers only (plan.h: Report).
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "engine/init/plan.h"

namespace knarr::engine::init {

class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  int fd() const { return fd_; }
  void move_to(int fd) { fd_ = fd; }

  [[noreturn]] void fail(Step step, std::uint32_t index = 0, int error = errno) const {
    send({Report::Kind::failure, step, index, error});
    ::_exit(125);
  }
  void notice(Step step, std::uint32_t index = 0, int error = errno) const {
    send({Report::Kind::notice, step, index, error});
  }
  void about_to_exec() const { send({Report::Kind::about_to_exec, Step::exec, 0, 0}); }

 private:
  // A parent that is gone hears nothing, and die_with_parent ends this process: the result does not matter.
  void send(const Report& report) const {
    ssize_t written;
    do {
      written = ::write(fd_, &report, sizeof report);
    } while (written < 0 && errno == EINTR);
  }

  int fd_;
};

}  // namespace knarr::engine::init
