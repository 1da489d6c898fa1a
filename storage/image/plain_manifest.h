// SPDX-License-Identifier: Apache-2.0
// The manifest of an image that has come without one, or was made here: its layers are described as plain
// tars, whose digests are the diffIDs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "storage/image/image.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

enum class ImageFormat { oci, docker };

// Notes the manifest in the image, whose id is known already, and returns it.
std::string make_plain_manifest(Image& image, std::size_t config_bytes, const std::vector<LayerMeta>& layers,
                                ImageFormat format = ImageFormat::oci);

}  // namespace knarr::storage
