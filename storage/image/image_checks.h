// SPDX-License-Identifier: Apache-2.0
// The media types of images, and what must hold between their documents wherever they come from (image-spec
// media-types.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_config_json.h"
#include "storage/image/platform.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

constexpr std::string_view oci_index_type = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view oci_manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view oci_config_type = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view oci_tar_type = "application/vnd.oci.image.layer.v1.tar";
constexpr std::string_view docker_list_type = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view docker_manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view docker_config_type = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view docker_tar_type = "application/vnd.docker.image.rootfs.diff.tar";

enum class ManifestKind { oci, docker };  // docker: version 2, schema 2

bool is_index_type(std::string_view media_type);
// A layer its registry need not have: Descriptor::urls say where it is.
bool is_foreign_layer(const Descriptor& layer);

// A document must be what its descriptor calls it: one digest must not have two meanings. Throws
// InvalidArgument.
void require_type(std::string_view found, const Descriptor& descriptor);
void require_layer_count(std::size_t in_manifest, std::size_t in_config);
// Throw Unsupported for what is no container image, an encrypted layer, or a layer of an unknown kind. How a
// layer is compressed its first bytes tell.
void require_image_config(const Descriptor& config);
void require_layer(const Descriptor& layer);
// The entry of an index for this platform. Throws NotFound "WHAT has no image for OS/ARCH".
const Descriptor& require_platform(const Index& index, const Platform& platform, std::string_view what);

// Fills layer_sizes and size from the unpacked layers.
void add_sizes(Image& image, const std::vector<LayerMeta>& metas);

}  // namespace knarr::storage
