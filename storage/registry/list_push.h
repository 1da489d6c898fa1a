// SPDX-License-Identifier: Apache-2.0
// A manifest list to a registry, with the images it names.
#pragma once

#include <string>

#include "storage/image/manifest_list.h"
#include "storage/registry/push.h"

namespace knarr::storage {

struct ListPushOptions {
  PushOptions images;
  bool with_images = true;  // those the registry lacks, from this store or from where they are
  ManifestKind kind = ManifestKind::oci;
};

// Run inside R. To where `destination`, a full name with a tag, is. Returns the digest of the index.
Digest push_list(const Store& store, const RegistriesConfig& config, const RegistryAccess& access,
                 const ManifestList& list, const Reference& destination, const ListPushOptions& options);

}  // namespace knarr::storage
