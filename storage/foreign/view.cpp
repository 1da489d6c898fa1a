// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/view.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "rootless/sys/error.h"
#include "storage/foreign/containers_storage.h"
#include "storage/foreign/foreign_layer.h"
#include "storage/image/image_store.h"
#include "storage/layer/layer.h"
#include "storage/layer/layer_meta_json.h"

namespace knarr::storage {
namespace {

std::string layer_path(const ForeignLayer& layer) {
  return "layers/" + layer.diff_id.hex;
}

class ViewMaker {
 public:
  ViewMaker(const ForeignStore& source, const Store& view, const std::optional<Store>& last_view)
      : source_(source), view_(view), last_view_(last_view) {}

  void add(const ForeignImage& image) {
    const ForeignContents contents = source_.read_image(image);
    Image record = contents.image;
    for (const ForeignLayer& layer : contents.layers) {
      const LayerMeta meta = with_context(concat("layer ", layer.id), [&] { return add_layer(layer); });
      record.layer_sizes.push_back(meta.tree_bytes);
      record.size += meta.tree_bytes;
    }
    ImageStore(view_).add_image(record, contents.manifest_json, contents.config_json, names_of(image));
  }

 private:
  static std::vector<Reference> names_of(const ForeignImage& image) {
    std::vector<Reference> names;
    for (const std::string& name : image.names) {
      try {
        names.push_back(parse_reference(name));
      } catch (const InvalidArgument&) {
        // Not ours to judge; the image has its id.
      }
    }
    return names;
  }

  LayerMeta add_layer(const ForeignLayer& layer) {
    if (const auto there = LayerStore(view_).find_layer(layer.diff_id)) return *there;
    const std::string tree = concat(source_.root(), '/', ForeignStore::tree_path(layer));
    const std::optional<LayerMeta> known = known_meta(layer, tree);
    const LayerMeta meta = known ? *known : check_foreign_layer(source_, layer);
    const std::string path = layer_path(layer);
    sys::make_directory(view_.fd(), path, 0700);
    if (::symlinkat(tree.c_str(), view_.fd(), (path + "/diff").c_str()) < 0) throw_errno("linking ", tree);
    sys::create_file(view_.fd(), path + "/meta.json", render_layer_meta(meta), 0600, sys::Durability::none);
    return meta;
  }

  std::optional<LayerMeta> known_meta(const ForeignLayer& layer, const std::string& tree) const {
    if (!last_view_ || sys::read_link(last_view_->fd(), layer_path(layer) + "/diff") != tree)
      return std::nullopt;
    return LayerStore(*last_view_).find_layer(layer.diff_id);
  }

  const ForeignStore& source_;
  const Store& view_;
  const std::optional<Store>& last_view_;
};

std::optional<Store> open_last_view(const Store& store, const AdditionalStore& additional) {
  if (!sys::stat_at(store.fd(), additional.view_path() + "/VERSION")) return std::nullopt;
  return Store::open(store.path(additional.view_path()));
}

void publish(const Store& store, const std::string& staging, const std::string& path) {
  while (::renameat(store.fd(), staging.c_str(), store.fd(), path.c_str()) < 0) {
    if (errno != EEXIST && errno != ENOTEMPTY) throw_errno("publishing ", path);
    store.move_to_trash(path);
  }
}

}  // namespace

std::vector<std::string> make_view(const Store& store, const AdditionalStore& additional) {
  const ForeignStore source = ForeignStore::open(additional.directory());
  std::vector<std::string> refusals = source.damage();
  const std::optional<Store> last_view = open_last_view(store, additional);
  sys::make_directory(store.fd(), "additional", 0700);
  const Store::Staging staging = store.make_staging("view");
  // One below: the lock on the directory in staging/ is also what a store has for its own.
  const std::string path = staging.path + "/view";
  {
    const Store view = Store::open(store.path(path));
    ViewMaker maker(source, view, last_view);
    for (const ForeignImage& image : source.images()) {
      try {
        with_context(concat("image ", image.names.empty() ? image.id : image.names.front()),
                     [&] { maker.add(image); });
      } catch (const Error& error) {
        refusals.push_back(error.message());
      }
    }
    // Under the lock, so it is of what was read.
    sys::create_file(view.fd(), view_stamp_file, additional.stamp(), 0600, sys::Durability::none);
  }
  publish(store, path, additional.view_path());
  ::unlinkat(store.fd(), staging.path.c_str(), AT_REMOVEDIR);
  return refusals;
}

}  // namespace knarr::storage
