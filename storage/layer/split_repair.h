// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/layer/displaced.h"

namespace knarr::storage {

// Writes the tar.zst beside the tree in `layer_fd` anew, so that it holds the content of the displaced files
// itself. False: that would take too long, and tar.zst is as it was.
bool store_displaced_content(int layer_fd, const DisplacedFiles& displaced);

}  // namespace knarr::storage
