// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/verb.h"

namespace knarr::cli {

inline constexpr VerbGroup verb_groups[] = {
    {"container", "Manage containers"},    {"image", "Manage images"},
    {"manifest", "Manage manifest lists"}, {"network", "Manage networks"},
    {"system", "Manage the engine"},       {"volume", "Manage volumes"},
};

}  // namespace knarr::cli
