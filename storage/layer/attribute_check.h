// SPDX-License-Identifier: Apache-2.0
// Compares a tree with the headers of its tar.
#pragma once

#include <string>

#include "storage/layer/assemble.h"

namespace knarr::storage {

// The first difference in words, empty when there is none: type, mode, owner, size, time, target of a link,
// attributes and whiteouts, as far as unpacking by this process could have made them. Content is passed over.
std::string find_attribute_difference(AssembledTar& tar, int tree_fd);

}  // namespace knarr::storage
