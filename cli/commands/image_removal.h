// SPDX-License-Identifier: Apache-2.0
// Removing images: names first, the image itself with its last name.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "storage/image/manifest_list.h"

namespace knarr::cli {

struct RemovedImage {
  std::vector<std::string> untagged;
  std::vector<std::string> deleted;  // ids; none: other names still point at it
};

struct ImageRemoval {
  bool force = false;    // the containers that use it, too
  bool parents = false;  // and what it was made of, where that has neither a name nor another use
};

// `name_or_id`, of an image or a manifest list, by name: takes that name away, and the image with its last
// one. By id: the image, when it has at most one name or `force` is given. Throws NotFound; Conflict when
// containers use it.
RemovedImage remove_image(const engine::Engine& engine, const std::string& name_or_id,
                          const ImageRemoval& removal);
// The image with all its names. Conflict when containers use it.
RemovedImage remove_whole_image(const engine::Engine& engine, const storage::Image& image,
                                const ImageRemoval& removal);

// A manifest list with all its names; the images stay.
RemovedImage remove_list(const engine::Engine& engine, const storage::ManifestList& list);

// The same for one of many. Conflict when containers use it. sweep_images() after the last one.
void remove_unused_image(const engine::Engine& engine, const storage::Image& image);
// Takes away what no image needs: layers of a killed load, a manifest an image had before it was loaded again
// in another form. The bytes go in the background.
void sweep_images(const engine::Engine& engine);

}  // namespace knarr::cli
