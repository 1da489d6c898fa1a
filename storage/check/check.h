// SPDX-License-Identifier: Apache-2.0
// Whether all that is in the store is whole and fits together. What lies in containers/ the engine checks
// (engine/check_containers.h).
//
// Reads without locks, so what others change meanwhile may look damaged: hold lock_gc(exclusive) to be sure,
// and for the repairs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "storage/check/finding.h"
#include "storage/image/image.h"
#include "storage/store.h"

namespace knarr::storage {

// Directories of the store that are missing; what in staging/, trash/ and downloads/ nobody holds.
std::vector<Finding> check_places(const Store& store);
// Records of images, the names that lead to them, and their blobs, which must hash to their names.
std::vector<Finding> check_images(const Store& store);
// Whether each layer an image needs is there, with a record that fits. Layers that no image needs are
// garbage; the repair leaves those alone that are younger than `min_age_seconds`: a pull may go on with them.
std::vector<Finding> check_layers(const Store& store, std::int64_t min_age_seconds);
std::vector<Finding> check_volumes(const Store& store);

// What is wrong with the content of a layer; empty when nothing is. Throws NotFound when it is gone.
using LayerVerifier = std::function<std::string(const Digest& diff_id)>;
// The damaged ones of those that are in the store and have a record, with words. Reads everything. Must run
// inside R.
std::map<Digest, std::string> verify_layers(const Store& store, const LayerVerifier& verify);
std::vector<Finding> report_damaged_layers(const Store& store, const std::map<Digest, std::string>& damage);

}  // namespace knarr::storage
