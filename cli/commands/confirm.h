// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cli/output.h"

namespace knarr::cli {

// Prints the warning and "Are you sure you want to continue? [y/N] ", reads a line of standard input; whether
// it begins with y or Y.
bool confirm(Output& out, std::string_view warning);

}  // namespace knarr::cli
