// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "storage/image/manifest_list.h"

namespace knarr::storage {

std::string render_manifest_list(const ManifestList& list);
ManifestList parse_manifest_list(std::string_view json);  // without id and names; throws InvalidArgument

// The same document, indented for people; the order of its members stays.
std::string indent_json(std::string_view json);

}  // namespace knarr::storage
