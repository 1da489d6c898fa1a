// SPDX-License-Identifier: Apache-2.0
// The changes of a tree as the tar of a layer (image-spec layer.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/layer/tar_writer.h"
#include "storage/tree_changes.h"

namespace knarr::storage {

// What find_changes() has found in `now`: whiteouts for what was deleted, all else as it is at this moment.
// `newest`: later times become this one, in seconds since the epoch. Returns lines about what a layer cannot
// hold. Run inside R.
std::vector<std::string> archive_changes(const TreeStack& now, const std::vector<TreeChange>& changes,
                                         std::optional<std::int64_t> newest, TarWriter& writer);

}  // namespace knarr::storage
