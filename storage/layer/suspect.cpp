// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/suspect.h"

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/assemble.h"
#include "storage/layer/diff_id_lock.h"
#include "storage/layer/layer_meta_json.h"

namespace knarr::storage {
namespace {

std::string find_damage(const Store& store, const Digest& diff_id) {
  try {
    return verify_layer(store, diff_id).damage;
  } catch (const NotFound&) {
    return "its tree is missing";
  }
}

}  // namespace

std::optional<LayerMeta> settle_suspect_layer(const Store& store, const Digest& diff_id,
                                              std::string* damage) {
  const DiffIdLock lock(store, diff_id);
  std::optional<LayerMeta> meta = LayerStore(store).find_layer(diff_id);
  if (meta && !is_suspect(*meta)) return meta;
  std::string difference = meta ? find_damage(store, diff_id) : "its record is missing or torn";
  if (difference.empty()) {
    // All of it was just read from the disk of another boot: nothing waits to be written.
    note_durable(store, *meta);
    meta->durable = true;
    return meta;
  }
  if (damage != nullptr) *damage = std::move(difference);
  LayerStore(store).remove_layer(diff_id);
  return std::nullopt;
}

}  // namespace knarr::storage
