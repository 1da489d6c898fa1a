// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace knarr::storage {

// `digits` random hexadecimal digits (an even number) from getrandom(2): ids of objects, unique file names.
std::string random_hex(std::size_t digits);

}  // namespace knarr::storage
