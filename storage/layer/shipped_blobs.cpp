// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/shipped_blobs.h"

#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/layer/shipped_blobs_json.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_blobs = 8;
constexpr std::size_t max_places = 16;

void write_shipped_blobs(const Store& store, const Digest& diff_id, const std::vector<ShippedBlob>& blobs) {
  try {
    const sys::UniqueFd layer = sys::find_at(store.fd(), layer_directory(diff_id), O_RDONLY | O_DIRECTORY);
    if (!layer) return;
    sys::replace_file(layer.get(), shipped_blobs_file, render_shipped_blobs(blobs), 0600,
                      sys::Durability::none);
  } catch (const SysError&) {
    // A hint that cannot be kept, as on a full disk, costs an upload some day.
  }
}

}  // namespace

std::vector<ShippedBlob> list_shipped_blobs(const Store& store, const Digest& diff_id) {
  try {
    const auto json =
        sys::read_file_if_exists(store.fd(), concat(layer_directory(diff_id), '/', shipped_blobs_file));
    return json ? parse_shipped_blobs(*json) : std::vector<ShippedBlob>{};
  } catch (const Error&) {
    return {};  // torn, of a later version, or no file at all: `system check` tells
  }
}

void note_shipped_blob(const Store& store, const Digest& diff_id, const ShippedBlob& blob) {
  const std::vector<ShippedBlob> known = list_shipped_blobs(store, diff_id);
  std::vector<ShippedBlob> merged = known;
  merge_shipped_blob(merged, blob);
  if (merged != known) write_shipped_blobs(store, diff_id, merged);
}

void note_place_of_blob(const Store& store, const Digest& diff_id, const Digest& blob,
                        const std::string& place) {
  for (const ShippedBlob& known : list_shipped_blobs(store, diff_id)) {
    if (known.digest == blob)
      return note_shipped_blob(store, diff_id, {known.digest, known.size, known.compression, {place}});
  }
}

void merge_shipped_blob(std::vector<ShippedBlob>& known, ShippedBlob blob) {
  const auto same = std::find_if(known.begin(), known.end(),
                                 [&](const ShippedBlob& other) { return other.digest == blob.digest; });
  if (same != known.end()) {
    for (std::string& place : same->places) {
      if (std::find(blob.places.begin(), blob.places.end(), place) == blob.places.end())
        blob.places.push_back(std::move(place));
    }
    known.erase(same);
  }
  if (blob.places.size() > max_places) blob.places.resize(max_places);
  known.insert(known.begin(), std::move(blob));
  if (known.size() > max_blobs) known.resize(max_blobs);
}

}  // namespace knarr::storage
