// SPDX-License-Identifier: Apache-2.0
// Bytes on their way between threads: buffers of one size from a pool that is their only supply, so that a
// fast producer waits instead of filling the memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace knarr::storage {

constexpr std::size_t chunk_size = 256u << 10;

struct Chunk {
  std::unique_ptr<char[]> bytes{new char[chunk_size]};
  std::size_t size = 0;
  std::string_view view() const { return {bytes.get(), size}; }
};

// Thrown in threads that wait when the work is given up: the reason is elsewhere.
struct Stopped {};

class ChunkPool {
 public:
  explicit ChunkPool(std::size_t chunks) : left_(chunks) {}
  // Waits for a free one. The pool must outlive it; the last owner gives it back.
  std::shared_ptr<Chunk> acquire();
  void stop();

 private:
  void give_back(Chunk* chunk);

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Chunk>> free_;
  std::size_t left_;  // that may still be made
  bool stopped_ = false;
};

class ChunkQueue {
 public:
  void push(std::shared_ptr<const Chunk> chunk);
  void finish();  // no more will come
  // Waits; nullptr at the end.
  std::shared_ptr<const Chunk> pop();
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const Chunk>> chunks_;
  bool finished_ = false;
  bool stopped_ = false;
};

}  // namespace knarr::storage
