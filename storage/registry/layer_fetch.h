// SPDX-License-Identifier: Apache-2.0
// One layer of a pull: where its bytes come from, what is kept of them, and what is told.
#pragma once

#include <functional>
#include <memory>

#include "storage/layer/unpack.h"
#include "storage/registry/download.h"
#include "storage/registry/progress.h"

namespace knarr::storage {

// Layers of this size and more are kept in downloads/ while they are fetched.
constexpr std::uint64_t kept_layer_size = 4u << 20;

class LayerFetch {
 public:
  // The bytes of the blob from an offset on.
  using Open = std::function<ByteSource(std::uint64_t offset)>;

  LayerFetch(const Store& store, LayerProgress progress, Open open, ProgressFeed& feed)
      : store_(store), report_(std::move(progress), feed), open_(std::move(open)) {}

  // For unpack_layers(); must not outlive this object. Nothing is fetched before the first read.
  LayerSource source(const Digest& diff_id);
  // Whether bytes of an earlier pull were used and the layer did not come out right (yet).
  bool is_suspect() const { return used_kept_bytes_ && progress().state != LayerState::done; }
  // After a failure: the next read begins anew, without kept bytes that may be the cause.
  void start_over();
  // What it is before anything is done: waiting or there already.
  void announce(LayerState state) { report_.change(state); }
  // Another process brought it, or it was there.
  void settle();

 private:
  std::size_t read(char* buffer, std::size_t room);
  std::size_t read_new(char* buffer, std::size_t room);
  void begin();
  void publish();
  const LayerProgress& progress() const { return report_.progress(); }

  const Store& store_;
  LayerReport report_;
  Open open_;
  std::unique_ptr<Download> download_;
  std::uint64_t kept_ = 0;  // bytes of an earlier pull
  bool used_kept_bytes_ = false;
  bool has_begun_ = false;
  ByteSource network_;
};

}  // namespace knarr::storage
