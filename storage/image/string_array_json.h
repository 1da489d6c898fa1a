// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::storage {

// The JSON form of Dockerfile instructions: ["a", "b"]. nullopt for everything else.
std::optional<std::vector<std::string>> parse_string_array(std::string_view text);

}  // namespace knarr::storage
