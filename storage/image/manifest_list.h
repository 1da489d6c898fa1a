// SPDX-License-Identifier: Apache-2.0
// Manifest lists: names made here for images of several platforms, to be pushed as one index.
//
//   lists/<id>/list.json            the list; a change holds a flock on the directory
//   refs/<escaped name>             symlink to ../lists/<id>: a name means either a list or an image
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_config_json.h"
#include "storage/image/image_store.h"
#include "storage/image/platform.h"
#include "storage/reference.h"
#include "storage/store.h"

namespace knarr::storage {

struct ListEntry {
  Descriptor descriptor;
  std::string image;   // the id of the image in this store it is about; empty: it is elsewhere
  std::string source;  // where then, as a full name with its digest
};

struct ManifestList {
  std::string id;            // 64 hex digits
  std::int64_t created = 0;  // seconds since the epoch
  // Of the index it is (describe_index()); empty and 0 for a list of an earlier version.
  Digest digest;
  std::uint64_t size = 0;
  std::map<std::string, std::string> annotations;
  std::vector<ListEntry> entries;
  std::vector<std::string> names;  // full; filled on reading
};

// What a list says of an image in the store.
ListEntry describe_local_image(const Store& store, const Image& image);
// Puts an entry in the place of the one for the same manifest, else at the end.
void set_entry(ManifestList& list, ListEntry entry);
// Throws NotFound.
ListEntry& get_entry(ManifestList& list, const Digest& digest);
// The one for a machine; nullptr when there is none. Pure.
const ListEntry* choose_entry(const ManifestList& list, const Platform& platform);
// As an index of this media type. Pure.
Index index_of(const ManifestList& list, std::string_view media_type);

// The images of a list that are in this store. While this lives no removal takes what they are made of.
class ListImages {
 public:
  ListImages(const Store& store, const ManifestList& list);
  const Image* find(const ListEntry& entry) const;  // nullptr: it is elsewhere, or gone

 private:
  std::map<std::string, Image> images_;  // by id
  LayerClaim claim_;
};

class ManifestListStore {
 public:
  explicit ManifestListStore(const Store& store) : store_(store) {}

  // By full or short name, or by id or a unique prefix of one.
  std::optional<ManifestList> find_list(std::string_view name_or_id) const;
  ManifestList get_list(std::string_view name_or_id) const;  // NotFound
  // The full name `text` means a list by; nullopt: none, or it is an id.
  std::optional<std::string> resolve_name(std::string_view text) const;
  // One damaged record does not hide the others; `damaged` hears of it.
  std::vector<ManifestList> list_lists(const std::function<void(const Error&)>& damaged = {}) const;
  // An empty one. Throws Conflict when the name means something.
  ManifestList create_list(const Reference& name) const;
  // Reads, lets `change` change, writes; nobody else changes it meanwhile. Returns what it became.
  ManifestList change_list(const std::string& id, const std::function<void(ManifestList&)>& change) const;
  // Takes the name off what it meant before. ImageStore::untag_name() takes names away.
  void tag_list(const ManifestList& list, const Reference& name) const;
  void remove_list(const ManifestList& list) const;

 private:
  const Store& store_;
};

}  // namespace knarr::storage
