// SPDX-License-Identifier: Apache-2.0
// From an image in the store to a registry: what is there already, what can be mounted, what must be sent.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/image/image_documents.h"
#include "storage/layer/shipped_blobs.h"
#include "storage/registry/progress.h"
#include "storage/registry/registry_access.h"

namespace knarr::storage {

struct LayerCompression {
  std::optional<Compression> format;  // nullopt: gzip for what must be sent
  std::optional<int> level;
  bool is_forced = false;  // a blob of another compression that is there already will not do
};

struct PushOptions {
  std::optional<ManifestKind> kind;  // nullopt: what the image came as
  LayerCompression compression;
  RetryPolicy retry;
  ProgressListener progress;  // called from several threads, one at a time
};

// The format of the manifest. Throws InvalidArgument where it cannot have such layers. Pure.
ManifestKind choose_manifest_kind(const PushOptions& options, std::string_view image_type);
// Blobs of a layer that would do instead of a new one, best first: the one the image came with keeps its
// digest. Pure.
std::vector<ShippedBlob> choose_shipped_blobs(std::vector<ShippedBlob> known, const Digest& original,
                                              ManifestKind kind, const LayerCompression& compression);
// The repositories of this host, other than `repository`, that `places` names. Pure.
std::vector<std::string> repositories_to_mount_from(const std::vector<std::string>& places,
                                                    const std::string& host, const std::string& repository);

// Run inside R. `tag` empty: it will be known by its digest only. Returns what the manifest is.
Descriptor push_image(const Store& store, Registry& registry, const Image& image, const std::string& tag,
                      const PushOptions& options);

// The same to where `destination`, a full name with a tag, is. Returns the digest of the manifest.
Digest push_to_registry(const Store& store, const RegistriesConfig& config, const RegistryAccess& access,
                        const Image& image, const Reference& destination, const PushOptions& options);

// "[HOST/]REPOSITORY[:TAG]": without a registry it is docker.io's. Throws InvalidArgument for a digest.
Reference parse_destination(std::string_view name);

}  // namespace knarr::storage
