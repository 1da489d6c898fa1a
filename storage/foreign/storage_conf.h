// SPDX-License-Identifier: Apache-2.0
// storage.conf of podman and its family (containers-storage.conf(5)): where its store is, and which further
// stores it reads images from.
//
// `run` may have to look for a further store, so this is read without a TOML library: knarr links libc only,
// and every value but strings and arrays of them is of no concern here. The whole grammar is walked, so that
// a value in another table is never taken for one of ours.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rootless/host.h"

namespace knarr::storage {

struct StorageConf {
  std::string graph_root;                            // storage.graphroot
  std::string rootless_storage_path;                 // storage.rootless_storage_path
  std::string image_store;                           // storage.imagestore
  std::vector<std::string> additional_image_stores;  // storage.options.additionalimagestores
};

// Pure: one document. `file` is what errors call it. Throws InvalidArgument "FILE:LINE: ...".
StorageConf parse_storage_conf(std::string_view toml, const std::string& file);

// What podman, run by the same user, takes for its store.
struct ForeignPlaces {
  std::string root;                            // absolute
  std::vector<std::string> additional_stores;  // absolute
};
// From the first file there is: $CONTAINERS_STORAGE_CONF, the user's, /etc/containers, /usr/share/containers.
ForeignPlaces find_foreign_places(const rootless::HostFacts& host);

}  // namespace knarr::storage
