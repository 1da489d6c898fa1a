// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_checks.h"

#include "rootless/sys/error.h"
#include "storage/layer/tar_header.h"

namespace knarr::storage {

bool is_index_type(std::string_view media_type) {
  return media_type == oci_index_type || media_type == docker_list_type;
}

bool is_foreign_layer(const Descriptor& layer) {
  return layer.media_type.find(".foreign.") != std::string::npos ||
         layer.media_type.find(".nondistributable.") != std::string::npos;
}

void require_type(std::string_view found, const Descriptor& descriptor) {
  if (descriptor.media_type.empty() || descriptor.media_type == found) return;
  throw InvalidArgument(
      concat("blob ", render(descriptor.digest), " is ", found, ", not ", quote_name(descriptor.media_type)));
}

void require_layer_count(std::size_t in_manifest, std::size_t in_config) {
  if (in_manifest == in_config) return;
  throw InvalidArgument(concat("the manifest has ", in_manifest, " layers, the config ", in_config));
}

void require_image_config(const Descriptor& config) {
  if (config.media_type == oci_config_type || config.media_type == docker_config_type) return;
  throw Unsupported(concat("it is no container image: its config is ", quote_name(config.media_type)));
}

void require_layer(const Descriptor& layer) {
  if (layer.media_type.find("encrypted") != std::string::npos) {
    throw Unsupported(concat("layer ", render(layer.digest), " is encrypted"));
  }
  // What does not claim to be a layer is none.
  if (!layer.media_type.starts_with("application/vnd.oci.image.layer.") &&
      !layer.media_type.starts_with("application/vnd.docker.image.rootfs.")) {
    throw Unsupported(
        concat("layer ", render(layer.digest), " is of the unknown type ", quote_name(layer.media_type)));
  }
}

const Descriptor& require_platform(const Index& index, const Platform& platform, std::string_view what) {
  const Descriptor* const chosen = choose_platform(index.manifests, platform);
  if (chosen != nullptr) return *chosen;
  const std::string variant = platform.variant.empty() ? "" : "/" + platform.variant;
  throw NotFound(concat(what, " has no image for ", platform.os, '/', platform.architecture, variant));
}

void add_sizes(Image& image, const std::vector<LayerMeta>& metas) {
  for (const LayerMeta& meta : metas) {
    image.layer_sizes.push_back(meta.tree_bytes);
    image.size += meta.tree_bytes;
  }
}

}  // namespace knarr::storage
