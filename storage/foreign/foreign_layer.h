// SPDX-License-Identifier: Apache-2.0
// One layer of a foreign store: making it ours, or finding that it can be used where it is. Both look at
// every name of its tree, and compare with what its store recorded of the tar if it did.
#pragma once

#include "storage/foreign/containers_storage.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

struct GrownLayer {
  LayerMeta meta;
  std::size_t copied_files = 0;  // that could not be linked
};
// Into the open, empty directory target_fd (place_layer()). Must run inside R, as must the other one. Throws
// an Error that says why it cannot be had.
GrownLayer grow_foreign_layer(const ForeignStore& source, const ForeignLayer& layer, int target_fd);
// Throws an Error that says why overlay could not use the tree as it is.
LayerMeta check_foreign_layer(const ForeignStore& source, const ForeignLayer& layer);

}  // namespace knarr::storage
