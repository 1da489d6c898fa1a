// SPDX-License-Identifier: Apache-2.0
// Threads that make the files of a layer while another one reads its tar. Creating a file is mostly the
// kernel's work, so two threads halve the time of a layer of many small files.
//
// What belongs to one directory is done by one thread in the order it came in. Whoever depends on a name in
// some other way asks is_pending() first and drains.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/layer/directories.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {

// One non-directory to make.
struct TreeJob {
  enum class Kind { file, symlink, hard_link, node, whiteout };
  Kind kind = Kind::file;
  DirectoryHandle directory;
  const Directory* parent = nullptr;  // the same
  std::string name;
  Attributes attributes;
  std::vector<Piece> content;        // file
  std::string link;                  // symlink: its text; hard_link: the name in target_directory
  DirectoryHandle target_directory;  // hard_link
  std::uint32_t node_type = 0;       // S_IFIFO, S_IFCHR, S_IFBLK
  std::uint64_t device = 0;
  std::string entry;  // as errors name it

  void run(const TreePolicy& policy, Displaced& displaced) const;
};

class CreatorPool {
 public:
  // Without threads a job is done when it is submitted.
  CreatorPool(unsigned threads, const TreePolicy& policy, Displaced& displaced);
  ~CreatorPool();  // what waits is not done
  CreatorPool(const CreatorPool&) = delete;
  CreatorPool& operator=(const CreatorPool&) = delete;

  // Waits while too much is under way.
  void submit(const Directory& directory, TreeJob job);
  // Whether a job for this name may not be done yet (false positives are possible).
  bool is_pending(const Directory& directory, std::string_view name) const;
  // Whether the two directories are served by one thread, hence in order.
  bool is_same_thread(const Directory& a, const Directory& b) const;
  void drain();  // until everything is done
  // Rethrows the first failure of a job, if there was one; the jobs after it were not done.
  void throw_failure();

 private:
  struct Waiting {
    TreeJob job;
    std::size_t slot = 0;
  };
  struct Lane {
    std::mutex mutex;
    std::condition_variable filled;
    std::condition_variable emptied;
    std::deque<Waiting> queue;
    std::size_t unfinished = 0;
    std::thread thread;
  };

  static std::size_t slot_of(const Directory& directory, std::string_view name);
  Lane& lane_of(const Directory& directory) { return lanes_[directory.id % lanes_.size()]; }
  void serve(Lane& lane);
  void run(const Waiting& waiting) noexcept;
  void fail(std::exception_ptr failure);

  TreePolicy policy_;
  Displaced& displaced_;
  std::deque<Lane> lanes_;
  std::array<std::atomic<std::uint32_t>, 4096> pending_{};
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> failed_ = false;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

}  // namespace knarr::storage
