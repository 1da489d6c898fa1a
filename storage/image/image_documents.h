// SPDX-License-Identifier: Apache-2.0
// The documents an image leaves the store with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/content/decompress.h"
#include "storage/image/image_checks.h"
#include "storage/image/image_config_json.h"
#include "storage/image/manifest_list.h"

namespace knarr::storage {

ManifestKind kind_of_manifest(std::string_view media_type);
std::string_view manifest_media_type(ManifestKind kind);
// Throws Unsupported for a compression such layers cannot have.
std::string layer_media_type(ManifestKind kind, Compression compression);

// Checked against the digest that is the image's id.
std::string read_verified_config(const Store& store, const Image& image);

// Notes what index the list is.
void describe_index(ManifestList& list);

// `original`, the manifest the image came with, where it is of this kind and tells of the same blobs, so that
// its digest stays; else a new one. Pure.
std::string compose_manifest(const Image& image, const std::string& original, ManifestKind kind,
                             std::uint64_t config_size, std::vector<Descriptor> layers);

}  // namespace knarr::storage
