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
#include "storage/layer/assemble.h"
#include "storage/store.h"

namespace knarr::storage {

// Directories of the store that are missing; what in staging/, trash/ and downloads/ nobody holds.
std::vector<Finding> check_places(const Store& store);
// Records of images, the names that lead to them, and their blobs, which must hash to their names.
std::vector<Finding> check_images(const Store& store);
// Records of manifest lists, and the names that lead to them.
std::vector<Finding> check_lists(const Store& store);
// Whether each layer an image needs is there, with a record that fits. Layers that no image needs are
// garbage; the repair leaves those alone that are younger than `min_age_seconds`: a pull may go on with them.
std::vector<Finding> check_layers(const Store& store, std::int64_t min_age_seconds);
std::vector<Finding> check_volumes(const Store& store);

// As verify_layer() is: throws NotFound when the layer is gone.
using LayerVerifier = std::function<LayerVerdict(const Digest& diff_id)>;
// Those whose content is not what their digest promises, or for which that cannot be told.
using LayerVerdicts = std::map<Digest, LayerVerdict>;
// Of the layers that are in the store and have a record. Reads everything. Must run inside R.
LayerVerdicts verify_layers(const Store& store, const LayerVerifier& verify);
std::vector<Finding> report_verdicts(const Store& store, const LayerVerdicts& verdicts);

}  // namespace knarr::storage
