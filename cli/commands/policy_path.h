// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace knarr::cli {

// As the scopes of a policy have it: absolute, and without links. Throws SysError.
std::string policy_path(const std::string& path);

}  // namespace knarr::cli
