// SPDX-License-Identifier: Apache-2.0
// The manifest or index a name means at the registries that may have it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/archive_writer.h"
#include "storage/image/manifest_list.h"
#include "storage/image/platform.h"
#include "storage/registry/registry.h"
#include "storage/registry/registry_access.h"

namespace knarr::storage {

// "docker://" in front is allowed.
Reference parse_remote_name(std::string_view name);
// The tag or digest to ask for.
std::string wanted_manifest(const Reference& reference);

struct RemoteManifest {
  Reference name;  // full
  std::unique_ptr<Registry> registry;
  FetchedManifest manifest;
};
// From the first place that has it: short names and mirrors are resolved as for a pull. Throws the error of
// the last place.
RemoteManifest fetch_remote_manifest(const RegistriesConfig& config, const RegistryAccess& access,
                                     std::string_view name);

// An image of a manifest list from its registry, for save_list(). `config` and `access` must outlive what it
// gives.
FetchImage fetch_from_registries(const RegistriesConfig& config, const RegistryAccess& access);

// Entries for a manifest list: the image itself; of an index the image for `wanted`, or all of them.
std::vector<ListEntry> list_remote_images(RemoteManifest& remote, const Platform& wanted, bool all);

}  // namespace knarr::storage
