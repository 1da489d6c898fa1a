// SPDX-License-Identifier: Apache-2.0
// When an image is asked for at its registry.
#pragma once

#include <optional>
#include <string_view>

namespace knarr::storage {

enum class PullPolicy {
  always,
  missing,  // what is in the store stays, whatever the registry has now
  newer,    // asks, and keeps what is in the store when that fails
  never
};

// As users of podman and docker write it; nullopt for anything else.
inline std::optional<PullPolicy> parse_pull_policy(std::string_view text) {
  if (text == "always") return PullPolicy::always;
  if (text == "missing" || text == "ifnotpresent") return PullPolicy::missing;
  if (text == "newer" || text == "ifnewer") return PullPolicy::newer;
  if (text == "never") return PullPolicy::never;
  return std::nullopt;
}

}  // namespace knarr::storage
