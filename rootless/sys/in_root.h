// SPDX-License-Identifier: Apache-2.0
// Paths as a process would see them whose root is a given directory: absolute paths and links start there,
// and nothing leads out, whatever others rename meanwhile (openat2(2)).
#pragma once

#include <string>

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

// openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). Empty when the path is missing.
UniqueFd find_in_root(int root_fd, const std::string& path, int flags);
// Throws NotFound.
UniqueFd open_in_root(int root_fd, const std::string& path, int flags);

}  // namespace knarr::sys
