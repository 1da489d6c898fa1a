// SPDX-License-Identifier: Apache-2.0
// Image records and the names that point at them. Reads take no lock.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/error.h"
#include "storage/image/image.h"
#include "storage/reference.h"
#include "storage/store.h"

namespace knarr::storage {

// Layers on their way into the store, one after the other, before a record names them, or contents of an
// image that somebody reads: while this lives no removal takes them. It is no lock, so a slow pull or save
// keeps nobody from removing something else, nor the name of the very image.
class LayerClaim {
 public:
  // Before the first look at a layer; keep it until add_image() is done.
  LayerClaim(const Store& store, const std::vector<Digest>& contents);
  LayerClaim(const LayerClaim&) = delete;
  LayerClaim& operator=(const LayerClaim&) = delete;
  ~LayerClaim();

 private:
  const Store& store_;
  Store::Staging staging_;  // holds the digests; the lock on it says that somebody means them
};

// All that an image is made of: its layers, manifest and config.
std::vector<Digest> contents_of(const Image& image);

class ImageStore {
 public:
  explicit ImageStore(const Store& store) : store_(store) {}

  // By full or short name, by NAME@sha256:digest, by id or a unique prefix of one (with or without
  // "sha256:"). A prefix that several images share is an InvalidArgument. Names come before prefixes. A short
  // name no candidate of which exists may be the end of one full name ("foo" of quay.io/x/foo); when it is
  // the end of names of several images, InvalidArgument.
  std::optional<Image> find_image(std::string_view name_or_id) const;
  // The same without `names`, so that its cost does not grow with the store: what `run` asks.
  std::optional<Image> find_record(std::string_view name_or_id) const;
  Image get_image(std::string_view name_or_id) const;  // NotFound: "NAME: image not known"
  // The full name `text` resolved to, empty when it was an id.
  std::optional<std::string> resolve_name(std::string_view text) const;

  // One damaged record does not hide the others; `damaged` hears of it.
  using DamageReport = std::function<void(const Error&)>;
  std::vector<Image> list_images(const DamageReport& damaged = {}) const;

  // Publishes the record of an image whose layers are in place, then its names (moving them off other
  // images). Manifest and config bytes go to blobs/. Throws NotFound when a layer is missing: hold
  // lock_gc(shared) or a claim from the first look at a layer until here, or an `rmi` may remove it in
  // between.
  void add_image(const Image& image, std::string_view manifest_json, std::string_view config_json,
                 const std::vector<Reference>& names) const;
  void tag_image(const Image& image, const Reference& name) const;
  bool untag_name(const Reference& full_name) const;
  // Removes names, record, blobs, and every layer no other image needs. Trees go to trash/. Takes
  // lock_gc(exclusive), which the caller must not hold, and calls `check_unused` under it: it throws when a
  // container uses the image, and none can be made from it any more.
  void remove_image(const Image& image, const std::function<void()>& check_unused = {}) const;
  // Layers, copies of images and blobs that no image needs, by their paths below the root: what a killed pull
  // or a crash left. As long as an image's record is damaged, nothing it may need is among them.
  std::vector<std::string> find_unreferenced() const;
  // Images with the owners that another id map needs, as the engine makes them.
  struct MappedCopy {
    std::string path;  // below the root: "maps/<image id>@<hash of the map>"
    std::string image_id;
  };
  std::vector<MappedCopy> list_mapped_copies() const;
  // Moves them to trash/. Takes lock_gc(exclusive). Returns how many.
  std::size_t remove_unreferenced() const;
  std::string read_config_json(const Image& image) const;
  std::string read_manifest_json(const Image& image) const;

 private:
  const Store& store_;
};

}  // namespace knarr::storage
