// SPDX-License-Identifier: Apache-2.0
// Unpacking several layers at once, and what follows it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "storage/layer/layer.h"

namespace knarr::storage {

struct LayerSource {
  UnpackRequest request;
  std::uint64_t shipped_size = 0;  // bytes, to begin with the largest; a guess will do
};

// All of them, in the order given; up to three at a time. Of equal diffIDs one is unpacked. When one fails
// the others are given up and its error is thrown.
std::vector<LayerMeta> unpack_layers(const Store& store, const std::vector<LayerSource>& layers);

// Puts a tree that is made otherwise than from a tar in its place, with what unpacking guarantees: nothing is
// done for a layer that is there already; others who want the same one wait; the tree appears whole or not at
// all. `grow` makes it in an open, empty directory of root and says what is in it (tree_bytes, entries,
// tar_bytes, notices). Must run inside R.
struct PlacedLayer {
  LayerMeta meta;
  bool is_new = false;
};
PlacedLayer place_layer(const Store& store, const Digest& diff_id,
                        const std::function<LayerMeta(int tree_fd)>& grow);

// Waits until all that was written to the store is on the disk (syncfs(2)), then notes that in the layers'
// records.
void make_durable(const Store& store, const std::vector<Digest>& diff_ids);
// The same by a detached process of low priority, so that nobody waits. No threads may run in this one.
void make_durable_in_background(const Store& store, const std::vector<Digest>& diff_ids);
// In the background where a process can be had for it, unless it has to be now.
void settle_layers(const Store& store, const std::vector<Digest>& diff_ids, Settling settling);

}  // namespace knarr::storage
