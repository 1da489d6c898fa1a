// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/layer_fetch.h"

#include <algorithm>

namespace knarr::storage {

LayerSource LayerFetch::source(const Digest& diff_id) {
  UnpackRequest request;
  request.diff_id = diff_id;
  request.blob_digest = progress().digest;
  request.source = [this](char* buffer, std::size_t room) { return read(buffer, room); };
  request.before_publish = [this] { publish(); };
  return {std::move(request), progress().size};
}

void LayerFetch::begin() {
  has_begun_ = true;
  if (progress().size >= kept_layer_size)
    download_ = Download::open(store_, progress().digest, progress().size);
  kept_ = download_ ? download_->size() : 0;
  used_kept_bytes_ = kept_ > 0;
  report_.begin_copying();
}

std::size_t LayerFetch::read(char* buffer, std::size_t room) {
  if (!has_begun_) begin();
  if (progress().copied < kept_) {
    const std::uint64_t left = kept_ - progress().copied;
    const std::size_t got = download_->read(buffer, std::min<std::uint64_t>(room, left), progress().copied);
    report_.advance(got);
    return got;
  }
  return read_new(buffer, room);
}

std::size_t LayerFetch::read_new(char* buffer, std::size_t room) {
  if (progress().copied == progress().size && kept_ == progress().size) {  // all of it was there
    report_.change(LayerState::unpacking);
    return 0;
  }
  if (!network_) network_ = open_(progress().copied);
  const std::size_t got = network_(buffer, room);
  if (download_ && !download_->append({buffer, got})) download_.reset();
  if (got == 0)
    report_.change(LayerState::unpacking);
  else
    report_.advance(got);
  return got;
}

// The tree is right, so what was kept has done its work.
void LayerFetch::publish() {
  if (download_) download_->remove();
  download_.reset();
  report_.change(LayerState::done);
}

void LayerFetch::start_over() {
  const bool is_whole = progress().copied == progress().size && progress().state != LayerState::done;
  if (is_suspect() || is_whole) remove_download(store_, progress().digest);
  download_.reset();
  network_ = nullptr;
  has_begun_ = false;
}

void LayerFetch::settle() {
  download_.reset();
  if (progress().state == LayerState::done || progress().state == LayerState::exists) return;
  report_.change(LayerState::exists);
}

}  // namespace knarr::storage
