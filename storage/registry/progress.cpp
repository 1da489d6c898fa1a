// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/progress.h"

namespace knarr::storage {

void ProgressFeed::tell(const LayerProgress& progress) {
  if (!listener_) return;
  const std::lock_guard lock(mutex_);
  listener_(progress);
}

void LayerReport::change(LayerState state) {
  progress_.state = state;
  feed_.tell(progress_);
}

void LayerReport::begin_copying() {
  progress_.copied = 0;
  change(LayerState::copying);
}

void LayerReport::advance(std::size_t bytes) {
  progress_.copied += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_told_ < std::chrono::milliseconds(100)) return;
  last_told_ = now;
  feed_.tell(progress_);
}

}  // namespace knarr::storage
