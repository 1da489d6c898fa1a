// SPDX-License-Identifier: Apache-2.0
// What lies under a container: the layers of its image and its own upper directory.
#pragma once

#include "engine/container.h"
#include "engine/engine.h"
#include "rootless/id_map.h"
#include "storage/overlay/driver.h"

namespace knarr::engine {

// The trees of an image's layers, topmost first, as the kernel's overlay wants them. Layers that were not on
// the disk when the machine stopped are read and compared first. Throws NotFound when the image or a layer is
// missing, Error that says what is wrong with a damaged one (it is in trash/ then). `store`: Image::store.
std::vector<std::string> image_trees(const Engine& engine, const std::string& image_id,
                                     const std::string& store);

// Pure look-up. Throws NotFound when the image or one of its layers is gone.
storage::RootfsPlan plan_rootfs(const Engine& engine, const ContainerConfig& config);

// Makes what the plan needs and does not exist yet, the trees in a child inside R:
//  - driver vfs: the tree, copied from the layers;
//  - a container whose ids are not those of R (--userns=keep-id, ...): the image with the owners the
//    container sees, made once per image and map under maps/, since the kernel lets no user map the ids of a
//    mount. A clone without content where the kernel's overlay follows one (storage/overlay/clone.h), else a
//    copy, and a warning;
//  - the places of our mounts, as the lowest layer (storage/overlay/mount_points.h).
void prepare_rootfs(const Engine& engine, const ContainerConfig& config, storage::RootfsPlan& plan);

// Whether the layer of mount points lies below those of the container's image.
bool uses_mount_points(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& plan);

}  // namespace knarr::engine
