// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/creator_pool.h"

#include <cerrno>
#include <functional>
#include <system_error>

#include "rootless/sys/error.h"
#include "storage/layer/tar_header.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_waiting = 128;  // jobs a lane; each may hold a directory open

void link_in_layer(const TreeJob& job, const Spot& spot) {
  try {
    make_hard_link(job.target_directory->get(), job.link, spot);
  } catch (const SysError& error) {
    if (error.code() != ENOENT) throw;
    throw NotFound(concat("its target ", quote_name(job.link), " is not in this layer"));
  }
}

}  // namespace

void TreeJob::run(const TreePolicy& policy, Displaced& displaced) const {
  const Spot spot{directory->get(), name, parent->path, displaced};
  switch (kind) {
    case Kind::file: {
      NewFile file(spot, attributes.mode);
      for (const Piece& piece : content) file.write(piece.bytes);
      return file.finish(attributes, policy);
    }
    case Kind::symlink:
      return make_symlink(spot, link, attributes, policy);
    case Kind::hard_link:
      return link_in_layer(*this, spot);
    case Kind::node:
      return make_node(spot, node_type, device, attributes, policy);
    case Kind::whiteout:
      return make_whiteout(spot.dir_fd, name);
  }
}

CreatorPool::CreatorPool(unsigned threads, const TreePolicy& policy, Displaced& displaced)
    : policy_(policy), displaced_(displaced) {
  try {
    for (unsigned i = 0; i < threads; ++i) {
      Lane& lane = lanes_.emplace_back();
      lane.thread = std::thread([this, &lane] { serve(lane); });
    }
  } catch (const std::system_error&) {
    lanes_.pop_back();  // as many as the limits on this user's processes allow
  }
}

CreatorPool::~CreatorPool() {
  stopping_ = true;
  for (Lane& lane : lanes_) {
    {
      const std::lock_guard lock(lane.mutex);
      lane.filled.notify_all();
    }
    lane.thread.join();
  }
}

std::size_t CreatorPool::slot_of(const Directory& directory, std::string_view name) {
  const std::size_t hash =
      std::hash<std::string_view>()(name) + directory.id * std::size_t{0x9E3779B97F4A7C15};
  return (hash ^ hash >> 29) % std::tuple_size_v<decltype(pending_)>;
}

bool CreatorPool::is_pending(const Directory& directory, std::string_view name) const {
  return pending_[slot_of(directory, name)].load(std::memory_order_acquire) != 0;
}

bool CreatorPool::is_same_thread(const Directory& a, const Directory& b) const {
  return lanes_.empty() || a.id % lanes_.size() == b.id % lanes_.size();
}

void CreatorPool::submit(const Directory& directory, TreeJob job) {
  if (lanes_.empty()) return job.run(policy_, displaced_);
  const std::size_t slot = slot_of(directory, job.name);
  pending_[slot].fetch_add(1, std::memory_order_relaxed);
  Lane& lane = lane_of(directory);
  std::unique_lock lock(lane.mutex);
  lane.emptied.wait(lock, [&] { return lane.queue.size() < max_waiting; });
  lane.queue.push_back({std::move(job), slot});
  ++lane.unfinished;
  if (lane.queue.size() == 1) lane.filled.notify_one();
}

void CreatorPool::drain() {
  for (Lane& lane : lanes_) {
    std::unique_lock lock(lane.mutex);
    lane.emptied.wait(lock, [&] { return lane.unfinished == 0; });
  }
}

void CreatorPool::serve(Lane& lane) {
  std::deque<Waiting> batch;
  std::unique_lock lock(lane.mutex);
  for (;;) {
    lane.filled.wait(lock, [&] { return stopping_ || !lane.queue.empty(); });
    if (stopping_) return;
    batch.swap(lane.queue);
    lane.emptied.notify_one();
    lock.unlock();
    for (const Waiting& waiting : batch) run(waiting);
    const std::size_t done = batch.size();
    batch.clear();
    lock.lock();
    lane.unfinished -= done;
    if (lane.unfinished == 0) lane.emptied.notify_one();
  }
}

void CreatorPool::run(const Waiting& waiting) noexcept {
  try {
    if (!failed_ && !stopping_) waiting.job.run(policy_, displaced_);
  } catch (Error& error) {
    error.add_context(concat("tar entry ", quote_name(waiting.job.entry)));
    fail(std::current_exception());
  } catch (...) {
    fail(std::current_exception());
  }
  pending_[waiting.slot].fetch_sub(1, std::memory_order_release);
}

void CreatorPool::fail(std::exception_ptr failure) {
  const std::lock_guard lock(failure_mutex_);
  if (!failure_) failure_ = std::move(failure);
  failed_ = true;
}

void CreatorPool::throw_failure() {
  if (!failed_) return;
  const std::lock_guard lock(failure_mutex_);
  std::rethrow_exception(failure_);
}

}  // namespace knarr::storage
