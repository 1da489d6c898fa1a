// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/layer/shipped_blobs.h"

namespace knarr::storage {

constexpr const char* shipped_blobs_file = "blobs.json";  // in a layer's directory

std::string render_shipped_blobs(const std::vector<ShippedBlob>& blobs);
std::vector<ShippedBlob> parse_shipped_blobs(std::string_view json);  // throws InvalidArgument, Unsupported

}  // namespace knarr::storage
