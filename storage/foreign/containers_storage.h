// SPDX-License-Identifier: Apache-2.0
// The store that podman, buildah and skopeo share (containers/storage), read only: its images, and where the
// trees of their layers are. Only the overlay driver keeps layers in a form that is of use here.
//
//   overlay-images/images.json, overlay-images/<id>/...   records; manifest and config
//   overlay-layers/layers.json, <id>.tar-split.gz         parent chains, digests; the headers of the tar
//   overlay/<id>/diff                                     the tree
//
// Whatever the documents say is checked before it becomes a path.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/unique_fd.h"
#include "storage/image/image.h"
#include "storage/layer/shipped_blobs.h"

namespace knarr::storage {

struct ForeignLayer {
  std::string id;      // 64 hex digits
  std::string parent;  // the same, or empty
  Digest diff_id;
  std::uint64_t tar_bytes = 0;
  std::string refusal;                 // why it cannot be used; empty: it can
  std::optional<ShippedBlob> shipped;  // as what it came
};

struct ForeignImage {
  std::string id;
  std::string top_layer;
  std::vector<std::string> names;
};

// The tables as they are. Entries that make no sense are left out, and `damage` says which. Throw
// InvalidArgument for a document that is no table at all.
std::map<std::string, ForeignLayer> parse_foreign_layers(std::string_view json,
                                                         std::vector<std::string>& damage);
std::vector<ForeignImage> parse_foreign_images(std::string_view json, std::vector<std::string>& damage);

// An image with all that belongs to it, checked: the digests of manifest and config, the layers against the
// config's diffIDs.
struct ForeignContents {
  Image image;  // without names and sizes
  std::string manifest_json, config_json;
  std::vector<ForeignLayer> layers;  // lowest first
};

// Root's podman mounts the directory of the trees over itself, and no hard link leads from one mount to
// another, be it of the same file system. Takes that mount away, for this process alone, which gets a mount
// namespace of its own; directories that are open already stay where they were. Nothing happens where there
// is no such mount, or none that this process may take away: then files are copied.
void uncover_trees(const std::string& root);

class ForeignStore {
 public:
  // Waits for those who change the store and keeps them waiting while this object lives, as its own readers
  // do. Throws NotFound when there is no such store, Unsupported for one of another driver.
  static ForeignStore open(const std::string& root);

  const std::string& root() const { return root_; }
  const std::vector<ForeignImage>& images() const { return images_; }
  const std::vector<std::string>& damage() const { return damage_; }

  // Throws an Error that says why it cannot be used: InvalidArgument, Unsupported, NotFound.
  ForeignContents read_image(const ForeignImage& image) const;
  // "overlay/<id>/diff", below fd().
  static std::string tree_path(const ForeignLayer& layer) { return "overlay/" + layer.id + "/diff"; }
  static std::string tar_split_path(const ForeignLayer& layer) {
    return "overlay-layers/" + layer.id + ".tar-split.gz";
  }
  int fd() const { return root_fd_.get(); }

 private:
  ForeignStore() = default;
  std::vector<ForeignLayer> layers_of(const ForeignImage& image) const;

  std::string root_;
  sys::UniqueFd root_fd_;
  sys::UniqueFd layers_lock_, images_lock_;
  std::map<std::string, ForeignLayer> layers_;
  std::vector<ForeignImage> images_;
  std::vector<std::string> damage_;
};

}  // namespace knarr::storage
