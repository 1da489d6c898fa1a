// SPDX-License-Identifier: Apache-2.0
// Which image of several is for this machine (image-spec image-index.md, "platform").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_config_json.h"

namespace knarr::storage {

struct Platform {
  std::string os;            // "linux"
  std::string architecture;  // in Go's words: "amd64", "arm64"
  std::string variant;       // "v7"; empty where there is one only
  bool operator==(const Platform&) const = default;
};

Platform platform_of_machine(std::string_view machine);  // as uname(2) names it
Platform host_platform();
// What is empty in `wanted` is this machine's.
Platform complete_platform(Platform wanted);

// The entry for `platform`: the same variant before none before another. nullptr when there is none. Entries
// that describe others (attestations) never match; a sole entry that names no platform does.
const Descriptor* choose_platform(const std::vector<Descriptor>& manifests, const Platform& platform);

// Whether an index entry is no image but a statement about one (buildx, "unknown/unknown").
bool is_attestation(const Descriptor& descriptor);

}  // namespace knarr::storage
