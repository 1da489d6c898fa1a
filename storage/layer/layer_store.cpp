// SPDX-License-Identifier: Apache-2.0
// Finding and removing layers: what `run` and `rmi` need. Unpacking them is in unpack.cpp, a library of its
// own because it links decompressors.
#include "rootless/sys/error.h"
#include "storage/layer/layer.h"
#include "storage/layer/layer_meta_json.h"

namespace knarr::storage {

namespace {

// In the view of an additional store it is a link to the tree there.
bool has_tree(const Store& store, const Digest& diff_id) {
  const auto tree = sys::stat_at(store.fd(), layer_directory(diff_id) + "/diff");
  return tree && S_ISDIR(tree->st_mode);
}

}  // namespace

std::string layer_directory(const Digest& diff_id) {
  return "layers/" + diff_id.hex;
}

std::string current_boot_id() {
  std::string id = sys::read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

bool is_suspect(const LayerMeta& meta) {
  return !meta.durable && meta.boot_id != current_boot_id();
}

void note_durable(const Store& store, LayerMeta meta) {
  meta.durable = true;
  const sys::UniqueFd layer = sys::find_at(store.fd(), layer_directory(meta.diff_id), O_RDONLY | O_DIRECTORY);
  if (layer)
    sys::replace_file(layer.get(), "meta.json", render_layer_meta(meta), 0600, sys::Durability::synced);
}

std::optional<LayerMeta> LayerStore::find_layer(const Digest& diff_id) const {
  const std::string file = layer_directory(diff_id) + "/meta.json";
  try {
    const std::optional<std::string> json = sys::read_file_if_exists(store_.fd(), file);
    if (!json || !has_tree(store_, diff_id)) return std::nullopt;
    return parse_layer_meta(*json);
  } catch (const InvalidArgument&) {
    return std::nullopt;  // torn by a power cut, so the tree beside it cannot be trusted either
  } catch (const SysError& error) {
    if (error.code() == EISDIR) return std::nullopt;  // a disk went bad
    throw;
  } catch (Error& error) {
    error.add_context(store_.path(file));
    throw;
  }
}

std::string LayerStore::tree_path(const Digest& diff_id) const {
  return store_.path(layer_directory(diff_id) + "/diff");
}

void LayerStore::remove_layer(const Digest& diff_id) const {
  store_.move_to_trash(layer_directory(diff_id));
}

}  // namespace knarr::storage
