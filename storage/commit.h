// SPDX-License-Identifier: Apache-2.0
// An image made of what has changed over another one. Run inside R.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/image/image.h"
#include "storage/image/plain_manifest.h"
#include "storage/reference.h"
#include "storage/store.h"
#include "storage/tree_changes.h"

namespace knarr::storage {

struct CommitRequest {
  // What the new image shall be. It has the layers, their sizes and the history of the one below already; of
  // a squashed one they are dropped.
  Image image;
  ImageHistory step;  // how the new layer was made
  TreeStack now, before;
  std::set<std::string> leave_out;  // paths in the tree
  bool squash = false;              // all that the tree shows becomes one layer
  ManifestKind format = ManifestKind::oci;
  std::vector<Reference> names;
  // No file of the layer is younger, in seconds since the epoch: equal trees give equal layers.
  std::optional<std::int64_t> newest;
  // Asked when everything was read; throws when that was not the whole.
  std::function<void()> confirm;
};

// Returns the image as it is in the store. `warn` hears what the layer could not hold.
Image commit_changes(const Store& store, CommitRequest request,
                     const std::function<void(const std::string&)>& warn);

}  // namespace knarr::storage
