// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/containers_storage.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/content/base64.h"
#include "storage/content/hash.h"
#include "storage/image/image_config_json.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_table_bytes = 16u << 20;
constexpr std::size_t max_layers = 1000;  // a longer chain is a circle; overlay takes 500

// No link below the store is followed: the store is the user's, but what is linked from it need not be.
sys::UniqueFd open_file(int root_fd, const std::string& path) {
  return sys::open_at(root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

std::string read_file(int root_fd, const std::string& path, std::size_t max_bytes) {
  return sys::read_all(open_file(root_fd, path).get(), path, max_bytes);
}

// What containers/storage's readers hold. A store on a read-only medium may have no lock files.
sys::UniqueFd lock_table(int root_fd, const std::string& path) {
  sys::UniqueFd fd = sys::find_at(root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return fd;
  struct flock range {};
  range.l_type = F_RDLCK;
  range.l_whence = SEEK_SET;
  while (::fcntl(fd.get(), F_OFD_SETLKW, &range) < 0) {
    if (errno != EINTR) throw_errno("locking ", path);
  }
  return fd;
}

void require_overlay_store(int root_fd, const std::string& root) {
  if (sys::stat_at(root_fd, "overlay-images") && sys::stat_at(root_fd, "overlay")) return;
  for (const char* driver : {"vfs", "btrfs", "zfs", "aufs"}) {
    if (sys::stat_at(root_fd, concat(driver, "-images"))) {
      throw Unsupported(concat(root, " is a store of the driver ", driver,
                               ": only those of overlay keep a tree for each layer"));
    }
  }
  throw NotFound(concat(root, " holds no store of podman, buildah or skopeo"));
}

// The file of a piece of "big data": names in [0-9a-z.] are themselves, others are encoded.
std::string big_data_path(const std::string& image_id, const std::string& name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
  });
  return concat("overlay-images/", image_id, '/', is_plain ? name : "=" + encode_base64(name));
}

void require_same_layers(const Image& image, const std::vector<ForeignLayer>& layers) {
  if (image.layers.size() != layers.size()) {
    throw InvalidArgument(
        concat("its config has ", image.layers.size(), " layers, its record ", layers.size()));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (image.layers[i] == layers[i].diff_id) continue;
    throw InvalidArgument(concat("its config has layer ", render(image.layers[i]), " where its record has ",
                                 render(layers[i].diff_id)));
  }
}

}  // namespace

void uncover_trees(const std::string& root) {
  const std::string trees = root + "/overlay";
  const auto mount_of = [](const std::string& path) -> std::uint64_t {
    struct statx info {};
    return ::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &info) == 0 ? info.stx_mnt_id : 0;
  };
  if (mount_of(root) == mount_of(trees) || ::unshare(CLONE_NEWNS) < 0) return;
  // What is taken away here must not go elsewhere.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return;
  while (mount_of(root) != mount_of(trees) && ::umount2(trees.c_str(), MNT_DETACH) == 0) {
  }
}

ForeignStore ForeignStore::open(const std::string& root) {
  return with_context(concat("reading the store ", root), [&] {
    ForeignStore store;
    store.root_ = root;
    store.root_fd_ = sys::find_at(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    if (!store.root_fd_) throw NotFound("there is no such directory");
    const int fd = store.root_fd_.get();
    require_overlay_store(fd, root);
    // Layers before images, as its own programs take them.
    store.layers_lock_ = lock_table(fd, "overlay-layers/layers.lock");
    store.images_lock_ = lock_table(fd, "overlay-images/images.lock");
    store.layers_ =
        parse_foreign_layers(read_file(fd, "overlay-layers/layers.json", max_table_bytes), store.damage_);
    store.images_ =
        parse_foreign_images(read_file(fd, "overlay-images/images.json", max_table_bytes), store.damage_);
    return store;
  });
}

std::vector<ForeignLayer> ForeignStore::layers_of(const ForeignImage& image) const {
  std::vector<ForeignLayer> layers;
  for (std::string id = image.top_layer; !id.empty(); id = layers.back().parent) {
    if (layers.size() == max_layers) throw InvalidArgument("its layers have no end");
    const auto found = layers_.find(id);
    if (found == layers_.end()) throw NotFound(concat("its layer ", id, " is not in the store"));
    if (!found->second.refusal.empty())
      throw Unsupported(concat("its layer ", id, ": ", found->second.refusal));
    layers.push_back(found->second);
  }
  std::reverse(layers.begin(), layers.end());
  return layers;
}

ForeignContents ForeignStore::read_image(const ForeignImage& image) const {
  ForeignContents contents;
  if (image.top_layer.empty()) throw Unsupported("it is a list of images, or has no layers");
  contents.manifest_json = read_file(fd(), big_data_path(image.id, "manifest"), max_manifest_bytes);
  const Manifest manifest = parse_manifest(contents.manifest_json);
  contents.config_json =
      read_file(fd(), big_data_path(image.id, render(manifest.config.digest)), max_config_bytes);
  verify_digest(contents.config_json, manifest.config.digest, "config");
  contents.image = parse_image_config(contents.config_json, manifest.config.digest);
  contents.image.manifest = digest_of(contents.manifest_json);
  contents.image.manifest_type = manifest.media_type;
  contents.layers = layers_of(image);
  require_same_layers(contents.image, contents.layers);
  return contents;
}

}  // namespace knarr::storage
