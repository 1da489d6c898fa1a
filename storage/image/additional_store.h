// SPDX-License-Identifier: Apache-2.0
// Further stores that images are read from and that are never written to: podman's `additionalimagestores`.
//
// knarr reads no tables of others. It has a view of such a store: a small store of our own form below
// additional/, whose records and blobs are copies and whose layers are links to the other store's trees, so
// that all that can be asked of our store can be asked of it. The view is made anew by knarr-store
// (storage/foreign/view.h) when the other store's tables have changed, which costs four stat(2) to see.
#pragma once

#include <optional>
#include <string>

#include "storage/store.h"

namespace knarr::storage {

class AdditionalStore {
 public:
  // `directory`: absolute. Throws InvalidArgument when it is not, or too long to be noted.
  AdditionalStore(const Store& store, std::string directory);

  const std::string& directory() const { return directory_; }
  const std::string& view_path() const { return view_path_; }  // below the root of our store
  // What the tables are like at this moment. Throws NotFound when there is no such store.
  std::string stamp() const;
  // nullopt: there is none, or the other store has changed since.
  std::optional<Store> current_view() const;

 private:
  const Store& store_;
  std::string directory_;
  std::string view_path_;
};

constexpr const char* view_stamp_file = "stamp";

}  // namespace knarr::storage
