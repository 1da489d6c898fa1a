// SPDX-License-Identifier: Apache-2.0
// Taking images over from the store of podman, buildah or skopeo: no network, hardly any time or space.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/foreign/containers_storage.h"
#include "storage/store.h"

namespace knarr::storage {

struct AdoptedImage {
  Image image;
  std::vector<std::string> kept_names;  // names of it that mean another image here, and go on doing so
  std::size_t new_layers = 0;           // the others were here
  std::size_t copied_files = 0;         // that could not be linked
  bool was_here = false;                // nothing was to do
};

// The images that `name_or_id` means: a full or short name, or an id or the beginning of one. Throws
// NotFound; InvalidArgument when there are several.
const ForeignImage& choose_foreign_image(const ForeignStore& store, const std::string& name_or_id);

// Must run inside R. Layers are hard links to the store's files, owners as they are: what somebody changes in
// place in one store changes in both, but layers are immutable in both, and each may remove its own names.
// Throws an Error that says why the image cannot be taken over; nothing is left of it then but layers that
// are whole.
AdoptedImage adopt_image(const Store& store, const ForeignStore& source, const ForeignImage& image);
// The same for its layers alone, of which a new image shall be made. Hold a LayerClaim on them.
void adopt_layers(const Store& store, const ForeignStore& source, const ForeignImage& image);

}  // namespace knarr::storage
