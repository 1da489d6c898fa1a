// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/parallel_run.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

#include "storage/threads_end.h"

namespace knarr::storage {

void ParallelRun::run(std::size_t count, std::size_t workers, const std::function<void(std::size_t)>& job) {
  const ThreadsEnd threads_end;
  {
    std::vector<std::jthread> threads;  // joined at the end of the block
    try {
      for (std::size_t i = 1; i < std::min(workers, count); ++i)
        threads.emplace_back([&] { work(count, job); });
    } catch (const std::system_error&) {
      // As many as the limits on this user's processes allow; this one does the rest.
    }
    work(count, job);
  }
  if (failure_) std::rethrow_exception(failure_);
}

void ParallelRun::work(std::size_t count, const std::function<void(std::size_t)>& job) noexcept {
  for (;;) {
    const std::size_t next = next_++;
    if (next >= count || failed_) return;
    try {
      job(next);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      failed_ = true;
    }
  }
}

}  // namespace knarr::storage
