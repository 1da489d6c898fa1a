// SPDX-License-Identifier: Apache-2.0
// Layers that were on their way to the disk when the machine stopped.
#pragma once

#include <optional>
#include <string>

#include "storage/layer/layer.h"

namespace knarr::storage {

// The layer as one that may be used, or nullopt when it is missing or useless. A suspect one is read and
// compared with its tar: when it is whole it is noted as durable, else it goes to trash/ and `damage` (may be
// null) says in words what is wrong. Must run inside R. Two processes that ask at once read it once.
std::optional<LayerMeta> settle_suspect_layer(const Store& store, const Digest& diff_id, std::string* damage);

}  // namespace knarr::storage
