// SPDX-License-Identifier: Apache-2.0
// One layer of a pull: where its bytes come from, what is kept of them, and what is told.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "storage/layer/unpack.h"
#include "storage/registry/download.h"
#include "storage/registry/pull.h"

namespace knarr::storage {

// Layers of this size and more are kept in downloads/ while they are fetched.
constexpr std::uint64_t kept_layer_size = 4u << 20;

// Tells what happens, one call at a time.
class ProgressFeed {
 public:
  explicit ProgressFeed(std::function<void(const LayerProgress&)> listener)
      : listener_(std::move(listener)) {}
  void tell(const LayerProgress& progress);

 private:
  std::mutex mutex_;
  std::function<void(const LayerProgress&)> listener_;
};

class LayerFetch {
 public:
  // The bytes of the blob from an offset on.
  using Open = std::function<ByteSource(std::uint64_t offset)>;

  LayerFetch(const Store& store, LayerProgress progress, Open open, ProgressFeed& feed)
      : store_(store), progress_(std::move(progress)), open_(std::move(open)), feed_(feed) {}

  // For unpack_layers(); must not outlive this object. Nothing is fetched before the first read.
  LayerSource source(const Digest& diff_id);
  // Whether bytes of an earlier pull were used and the layer did not come out right (yet).
  bool is_suspect() const { return used_kept_bytes_ && progress_.state != LayerState::done; }
  // After a failure: the next read begins anew, without kept bytes that may be the cause.
  void start_over();
  // What it is before anything is done: waiting or there already.
  void announce(LayerState state) { change(state); }
  // Another process brought it, or it was there.
  void settle();

 private:
  std::size_t read(char* buffer, std::size_t room);
  std::size_t read_new(char* buffer, std::size_t room);
  void begin();
  void publish();
  void advance(std::size_t got);
  void change(LayerState state);

  const Store& store_;
  LayerProgress progress_;
  Open open_;
  ProgressFeed& feed_;
  std::unique_ptr<Download> download_;
  std::uint64_t kept_ = 0;  // bytes of an earlier pull
  bool used_kept_bytes_ = false;
  bool has_begun_ = false;
  ByteSource network_;
  std::chrono::steady_clock::time_point last_told_{};
};

}  // namespace knarr::storage
