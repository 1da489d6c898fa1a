// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>
#include <sys/stat.h>

namespace knarr::storage {

// A joined thread counts as one of the process for some microseconds more. Who forks or unshares next must
// not trip over it, so whoever starts threads here also sees them gone.
class ThreadsEnd {
 public:
  ThreadsEnd() : before_(count()) {}
  ThreadsEnd(const ThreadsEnd&) = delete;
  ThreadsEnd& operator=(const ThreadsEnd&) = delete;
  ~ThreadsEnd() {
    constexpr int patience = 100'000;  // yields; without /proc there is nothing to see
    for (int i = 0; i < patience && count() > before_; ++i) ::sched_yield();
  }

 private:
  static nlink_t count() {
    struct stat tasks;
    return ::stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink : 0;
  }
  nlink_t before_;
};

}  // namespace knarr::storage
