// SPDX-License-Identifier: Apache-2.0
#include "storage/commit.h"

#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/content/hash.h"
#include "storage/image/image_config_json.h"
#include "storage/image/image_store.h"
#include "storage/layer/assemble.h"
#include "storage/layer/change_archive.h"
#include "storage/layer/produced_bytes.h"
#include "storage/layer/unpack.h"
#include "storage/threads_end.h"

namespace knarr::storage {
namespace {

// The changes become a tar, which is unpacked like any other: so the layer has the digest, the split and the
// tree that it will have wherever the image is loaded. The gc lock is held from when the tree is in its
// place.
LayerMeta make_layer(const Store& store, const CommitRequest& request, std::optional<sys::Lock>& gc,
                     std::vector<std::string>& notices) {
  const TreeStack nothing;
  const std::vector<TreeChange> changes =
      find_changes(request.now, request.squash ? nothing : request.before, request.leave_out);
  const ThreadsEnd threads_end;
  ProducedBytes tar([&](const ByteSink& sink) {
    TarWriter writer(sink);
    notices = archive_changes(request.now, changes, request.newest, writer);
  });
  UnpackRequest unpack;
  unpack.source = [&tar](char* buffer, std::size_t size) { return tar.read(buffer, size); };
  unpack.before_publish = [&] {
    if (request.confirm) request.confirm();
    gc = store.lock_gc(sys::Lock::Mode::shared);
  };
  return LayerStore(store).unpack_layer(unpack);
}

LayerMeta get_layer(const Store& store, const Digest& diff_id) {
  std::optional<LayerMeta> meta = LayerStore(store).find_layer(diff_id);
  if (!meta) throw NotFound(concat("layer ", render(diff_id), " is not in the store"));
  return *std::move(meta);
}

void add_layer(Image& image, const LayerMeta& meta, const ImageHistory& step) {
  image.layers.push_back(meta.diff_id);
  image.layer_sizes.push_back(meta.tree_bytes);
  image.size += meta.tree_bytes;
  image.history.push_back(step);
}

// Each layer has its entry, or nobody could tell whose the new one is.
void complete_history(Image& image, const ImageHistory& step) {
  const auto described =
      static_cast<std::size_t>(std::count_if(image.history.begin(), image.history.end(),
                                             [](const ImageHistory& entry) { return !entry.empty_layer; }));
  for (std::size_t layer = described; layer < image.layers.size(); ++layer)
    image.history.push_back({.created = step.created});
}

void drop_layers(Image& image) {
  image.layers.clear();
  image.layer_sizes.clear();
  image.size = 0;
  image.history.clear();
}

}  // namespace

Image commit_changes(const Store& store, CommitRequest request,
                     const std::function<void(const std::string&)>& warn) {
  Image& image = request.image;
  if (request.squash) drop_layers(image);
  const LayerClaim claim(store, image.layers);
  std::optional<sys::Lock> gc;
  std::vector<std::string> notices;
  const LayerMeta made = make_layer(store, request, gc, notices);
  std::vector<LayerMeta> metas;
  for (const Digest& layer : image.layers) metas.push_back(get_layer(store, layer));
  metas.push_back(made);
  complete_history(image, request.step);
  add_layer(image, made, request.step);
  const std::string config_json = render_image_config(image);
  image.id = digest_of(config_json).hex;
  const std::string manifest_json = make_plain_manifest(image, config_json.size(), metas, request.format);
  ImageStore(store).add_image(image, manifest_json, config_json, request.names);
  settle_layers(store, {made.diff_id}, Settling::in_background);
  for (const Reference& name : request.names) image.names.push_back(render(name));
  for (const std::vector<std::string>& lines : {notices, made.notices}) {
    for (const std::string& line : lines) warn(line);
  }
  return std::move(request.image);
}

}  // namespace knarr::storage
