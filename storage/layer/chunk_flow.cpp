// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/chunk_flow.h"

namespace knarr::storage {

std::shared_ptr<Chunk> ChunkPool::acquire() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return stopped_ || left_ > 0 || !free_.empty(); });
  if (stopped_) throw Stopped();
  std::unique_ptr<Chunk> chunk;
  if (!free_.empty()) {
    chunk = std::move(free_.back());
    free_.pop_back();
  } else {
    --left_;
  }
  lock.unlock();
  if (!chunk) chunk = std::make_unique<Chunk>();
  return {chunk.release(), [this](Chunk* used) { give_back(used); }};
}

void ChunkPool::give_back(Chunk* chunk) {
  const std::lock_guard lock(mutex_);
  free_.emplace_back(chunk);
  freed_.notify_one();
}

void ChunkPool::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  freed_.notify_all();
}

void ChunkQueue::push(std::shared_ptr<const Chunk> chunk) {
  const std::lock_guard lock(mutex_);
  chunks_.push_back(std::move(chunk));
  changed_.notify_one();
}

void ChunkQueue::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_one();
}

std::shared_ptr<const Chunk> ChunkQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_ || finished_ || !chunks_.empty(); });
  if (stopped_) throw Stopped();
  if (chunks_.empty()) return nullptr;
  std::shared_ptr<const Chunk> chunk = std::move(chunks_.front());
  chunks_.pop_front();
  return chunk;
}

void ChunkQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace knarr::storage
