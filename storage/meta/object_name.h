// SPDX-License-Identifier: Apache-2.0
// Names a user gives to objects and that become file names.
#pragma once

#include <string_view>

namespace knarr::storage {

// [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 255 bytes: never a path, never "..".
bool is_object_name(std::string_view name);

// `kind` is "container" or "volume". Throws InvalidArgument.
void require_object_name(std::string_view kind, std::string_view name);

}  // namespace knarr::storage
