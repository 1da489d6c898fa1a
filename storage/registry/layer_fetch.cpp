// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/layer_fetch.h"

#include <algorithm>

namespace knarr::storage {

void ProgressFeed::tell(const LayerProgress& progress) {
  if (!listener_) return;
  const std::lock_guard lock(mutex_);
  listener_(progress);
}

LayerSource LayerFetch::source(const Digest& diff_id) {
  UnpackRequest request;
  request.diff_id = diff_id;
  request.blob_digest = progress_.digest;
  request.source = [this](char* buffer, std::size_t room) { return read(buffer, room); };
  request.before_publish = [this] { publish(); };
  return {std::move(request), progress_.size};
}

void LayerFetch::begin() {
  has_begun_ = true;
  if (progress_.size >= kept_layer_size) download_ = Download::open(store_, progress_.digest, progress_.size);
  kept_ = download_ ? download_->size() : 0;
  used_kept_bytes_ = kept_ > 0;
  progress_.fetched = 0;
  change(LayerState::downloading);
}

std::size_t LayerFetch::read(char* buffer, std::size_t room) {
  if (!has_begun_) begin();
  if (progress_.fetched < kept_) {
    const std::uint64_t left = kept_ - progress_.fetched;
    const std::size_t got = download_->read(buffer, std::min<std::uint64_t>(room, left), progress_.fetched);
    advance(got);
    return got;
  }
  return read_new(buffer, room);
}

std::size_t LayerFetch::read_new(char* buffer, std::size_t room) {
  if (progress_.fetched == progress_.size && kept_ == progress_.size) {  // all of it was there
    change(LayerState::unpacking);
    return 0;
  }
  if (!network_) network_ = open_(progress_.fetched);
  const std::size_t got = network_(buffer, room);
  if (download_ && !download_->append({buffer, got})) download_.reset();
  if (got == 0)
    change(LayerState::unpacking);
  else
    advance(got);
  return got;
}

// The tree is right, so what was kept has done its work.
void LayerFetch::publish() {
  if (download_) download_->remove();
  download_.reset();
  change(LayerState::done);
}

void LayerFetch::start_over() {
  const bool is_whole = progress_.fetched == progress_.size && progress_.state != LayerState::done;
  if (is_suspect() || is_whole) remove_download(store_, progress_.digest);
  download_.reset();
  network_ = nullptr;
  has_begun_ = false;
}

void LayerFetch::settle() {
  download_.reset();
  if (progress_.state == LayerState::done || progress_.state == LayerState::exists) return;
  change(LayerState::exists);
}

void LayerFetch::advance(std::size_t got) {
  progress_.fetched += got;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_told_ < std::chrono::milliseconds(100)) return;
  last_told_ = now;
  feed_.tell(progress_);
}

void LayerFetch::change(LayerState state) {
  progress_.state = state;
  feed_.tell(progress_);
}

}  // namespace knarr::storage
