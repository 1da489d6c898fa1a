// SPDX-License-Identifier: Apache-2.0
// newuidmap(1) and newgidmap(1): the privileged programs that write the maps which subuid(5) grants.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace knarr::rootless {

// False under no_new_privs, where the set-user-ID bit and file capabilities are without effect.
bool can_gain_privilege();

// Where "newuidmap" or "newgidmap" may be, the preferred place first.
std::vector<std::string> id_map_helper_places(const std::string& name);

// The first of these places with a file that is set-user-ID root or has file capabilities.
std::optional<std::string> find_id_map_helper(const std::string& name);

}  // namespace knarr::rootless
