// SPDX-License-Identifier: Apache-2.0
// As what a layer has travelled, and where it was seen so: a push names what is there instead of sending it,
// so images keep their digests. Hints beside the layer (blobs.json); who loses a race loses a hint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/content/decompress.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

// Only what was verified: these bytes gave the layer here, or were made from it.
struct ShippedBlob {
  Digest digest;
  std::uint64_t size = 0;
  Compression compression = Compression::none;
  std::vector<std::string> places;  // "HOST/REPOSITORY", latest first
  bool operator==(const ShippedBlob&) const = default;
};

// Latest first; none for a layer that is not there.
std::vector<ShippedBlob> list_shipped_blobs(const Store& store, const Digest& diff_id);
// Adds a blob, or places to one that is known.
void note_shipped_blob(const Store& store, const Digest& diff_id, const ShippedBlob& blob);
// Only of a blob that is known: what a manifest calls a layer need not be it.
void note_place_of_blob(const Store& store, const Digest& diff_id, const Digest& blob,
                        const std::string& place);

// Pure. Puts `blob` in front, with the places of both; no more of either than is useful.
void merge_shipped_blob(std::vector<ShippedBlob>& known, ShippedBlob blob);

}  // namespace knarr::storage
