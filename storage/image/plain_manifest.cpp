// SPDX-License-Identifier: Apache-2.0
#include "storage/image/plain_manifest.h"

#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/image/image_config_json.h"

namespace knarr::storage {

std::string make_plain_manifest(Image& image, std::size_t config_bytes, const std::vector<LayerMeta>& layers,
                                ManifestKind kind) {
  const bool is_oci = kind == ManifestKind::oci;
  Manifest manifest;
  manifest.media_type = is_oci ? oci_manifest_type : docker_manifest_type;
  manifest.config.media_type = is_oci ? oci_config_type : docker_config_type;
  manifest.config.digest = {"sha256", image.id};
  manifest.config.size = config_bytes;
  for (const LayerMeta& meta : layers) {
    Descriptor layer;
    layer.media_type = is_oci ? oci_tar_type : docker_tar_type;
    layer.digest = meta.diff_id;
    layer.size = meta.tar_bytes;
    manifest.layers.push_back(std::move(layer));
  }
  std::string json = render_manifest(manifest);
  image.manifest = digest_of(json);
  image.manifest_type = manifest.media_type;
  return json;
}

}  // namespace knarr::storage
