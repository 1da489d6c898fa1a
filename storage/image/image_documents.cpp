// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_documents.h"

#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/content/hash.h"
#include "storage/image/image_checks.h"

namespace knarr::storage {
namespace {

bool is_same(const Manifest& old, const Manifest& wanted) {
  const auto same_digest = [](const Descriptor& a, const Descriptor& b) { return a.digest == b.digest; };
  return old.media_type == wanted.media_type && old.config.digest == wanted.config.digest &&
         std::equal(old.layers.begin(), old.layers.end(), wanted.layers.begin(), wanted.layers.end(),
                    same_digest);
}

}  // namespace

ManifestKind kind_of_manifest(std::string_view media_type) {
  return media_type == docker_manifest_type ? ManifestKind::docker : ManifestKind::oci;
}

std::string_view manifest_media_type(ManifestKind kind) {
  return kind == ManifestKind::oci ? oci_manifest_type : docker_manifest_type;
}

std::string layer_media_type(ManifestKind kind, Compression compression) {
  const bool is_oci = kind == ManifestKind::oci;
  if (compression == Compression::none) return std::string(is_oci ? oci_tar_type : docker_tar_type);
  if (compression == Compression::gzip)
    return is_oci ? concat(oci_tar_type, "+gzip") : concat(docker_tar_type, ".gzip");
  if (compression == Compression::zstd && is_oci) return concat(oci_tar_type, "+zstd");
  throw Unsupported(concat("a manifest of the format ", is_oci ? "oci" : "v2s2", " cannot have layers of ",
                           compression_name(compression)));
}

std::string read_verified_config(const Store& store, const Image& image) {
  std::string config = ImageStore(store).read_config_json(image);
  verify_digest(config, {"sha256", image.id}, "the config");
  return config;
}

void describe_index(ManifestList& list) {
  const std::string index = render_index(index_of(list, oci_index_type));
  list.digest = digest_of(index);
  list.size = index.size();
}

std::string compose_manifest(const Image& image, const std::string& original, ManifestKind kind,
                             std::uint64_t config_size, std::vector<Descriptor> layers) {
  Manifest manifest;
  manifest.media_type = manifest_media_type(kind);
  manifest.config.media_type = kind == ManifestKind::oci ? oci_config_type : docker_config_type;
  manifest.config.digest = {"sha256", image.id};
  manifest.config.size = config_size;
  manifest.layers = std::move(layers);
  const Manifest old = parse_manifest(original);
  if (is_same(old, manifest) && digest_of(original, image.manifest.algorithm) == image.manifest)
    return original;
  if (kind == ManifestKind::oci) manifest.annotations = old.annotations;
  return render_manifest(manifest);
}

}  // namespace knarr::storage
