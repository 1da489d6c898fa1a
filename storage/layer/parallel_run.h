// SPDX-License-Identifier: Apache-2.0
// Several jobs of one kind side by side, as those of an image's layers.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>

namespace knarr::storage {

class ParallelRun {
 public:
  // Calls job(0) .. job(count - 1), up to `workers` at a time, begun in this order. After one has failed none
  // begins, and its error is thrown once the others have ended.
  void run(std::size_t count, std::size_t workers, const std::function<void(std::size_t)>& job);
  // For a job that runs: whether another one has made it pointless.
  bool has_failed() const { return failed_; }

 private:
  void work(std::size_t count, const std::function<void(std::size_t)>& job) noexcept;

  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace knarr::storage
