// SPDX-License-Identifier: Apache-2.0
// volumes/<name>/meta.json.
#pragma once

#include <string>
#include <string_view>

#include "storage/volume/volume_store.h"

namespace knarr::storage {

std::string render_volume(const Volume& volume);  // all but the mountpoint, which follows from the place
// Throws InvalidArgument, Unsupported for a record of a newer version.
Volume parse_volume(std::string_view json);

}  // namespace knarr::storage
