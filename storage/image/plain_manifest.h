// SPDX-License-Identifier: Apache-2.0
// The manifest of an image that has come without one, or was made here: its layers are described as plain
// tars, whose digests are the diffIDs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "storage/image/image_checks.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

// Notes the manifest in the image, whose id is known already, and returns it.
std::string make_plain_manifest(Image& image, std::size_t config_bytes, const std::vector<LayerMeta>& layers,
                                ManifestKind kind = ManifestKind::oci);

}  // namespace knarr::storage
