// SPDX-License-Identifier: Apache-2.0
// What is told of the layers of an image on their way from or to a registry.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "storage/digest.h"

namespace knarr::storage {

enum class LayerState { waiting, exists, mounted, copying, unpacking, done };

struct LayerProgress {
  std::size_t index = 0;  // of `count` in the image, lowest layer first
  std::size_t count = 0;
  Digest digest;  // of the layer as it is shipped; where that is not known yet, of its tar
  LayerState state = LayerState::waiting;
  std::uint64_t copied = 0;  // bytes
  std::uint64_t size = 0;
};

using ProgressListener = std::function<void(const LayerProgress&)>;

// Tells what happens, one call at a time.
class ProgressFeed {
 public:
  explicit ProgressFeed(ProgressListener listener) : listener_(std::move(listener)) {}
  void tell(const LayerProgress& progress);

 private:
  std::mutex mutex_;
  ProgressListener listener_;
};

// One layer's part in it: each change of its state, and its bytes at most ten times a second.
class LayerReport {
 public:
  LayerReport(LayerProgress progress, ProgressFeed& feed) : progress_(std::move(progress)), feed_(feed) {}

  const LayerProgress& progress() const { return progress_; }
  void change(LayerState state);
  void begin_copying();  // from the first byte
  void advance(std::size_t bytes);

 private:
  LayerProgress progress_;
  ProgressFeed& feed_;
  std::chrono::steady_clock::time_point last_told_{};
};

}  // namespace knarr::storage
