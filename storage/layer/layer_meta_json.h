// SPDX-License-Identifier: Apache-2.0
// layers/<diffid>/meta.json.
#pragma once

#include <string>
#include <string_view>

#include "storage/layer/layer.h"

namespace knarr::storage {

std::string render_layer_meta(const LayerMeta& meta);
// Throws InvalidArgument, Unsupported for a record of a newer version.
LayerMeta parse_layer_meta(std::string_view json);

}  // namespace knarr::storage
