// SPDX-License-Identifier: Apache-2.0
// Images wherever they are: in the engine's own store, or in a further one that is only read
// (--storage-opt additionalimagestore=DIR, storage.conf). Image::store tells which.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "storage/image/manifest_list.h"
#include "storage/image/platform.h"

namespace knarr::engine {

// As storage::ImageStore has them; a manifest list means its image for this machine. The own store comes
// first; the others are not even looked for when it has what is asked for. Throws NotFound when a list has no
// such image, or it is not in the store.
std::optional<storage::Image> find_image_record(const Engine& engine, const std::string& name_or_id);
std::optional<storage::Image> find_image(const Engine& engine, const std::string& name_or_id);
storage::Image get_image(const Engine& engine, const std::string& name_or_id);
// An image that is in a further store already is shown of the own one only.
std::vector<storage::Image> list_images(const Engine& engine,
                                        const storage::ImageStore::DamageReport& damaged = {});
// Of the image's name, when it was found by one.
std::optional<std::string> resolve_image_name(const Engine& engine, const storage::Image& image,
                                              const std::string& name);

// Throws InvalidArgument when the image is in a store that is only read: `act` is "tag".
void require_writable(const storage::Image& image, const std::string& act);

// What a manifest list has for a platform (what is empty is this machine's). nullopt: no list has that name
// or id. NotFound: it has nothing for it.
std::optional<storage::ListEntry> find_list_entry(const Engine& engine, const std::string& name_or_id,
                                                  const storage::Platform& platform);
std::optional<storage::Image> find_image_of(const Engine& engine, const storage::ListEntry& entry);

// By its id, in that store and no other. `store` as in Image::store.
std::optional<storage::Image> find_record_in(const Engine& engine, const std::string& image_id,
                                             const std::string& store);
// Where the trees of its layers are, topmost first; whether they are whole is another question
// (engine/rootfs.h).
std::vector<std::string> layer_trees(const Engine& engine, const storage::Image& image);

}  // namespace knarr::engine
