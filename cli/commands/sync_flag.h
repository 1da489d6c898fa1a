// SPDX-License-Identifier: Apache-2.0
// --sync of the verbs that bring layers into the store.
#pragma once

#include "cli/flags.h"
#include "storage/layer/layer.h"

namespace knarr::cli {

inline constexpr Flag sync_flag = toggle("sync", 0, "Return only when the layers are on the disk");

inline storage::Settling read_settling(const Arguments& arguments) {
  return arguments.boolean("sync") ? storage::Settling::now : storage::Settling::in_background;
}

}  // namespace knarr::cli
