// SPDX-License-Identifier: Apache-2.0
// What starting another program needs to know.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knarr::sys {

// The program of that name in `path`, as PATH has it; only absolute directories count, others would depend on
// where the user is. Empty when there is none.
std::string find_program(const std::string& name, std::string_view path);

// The environment of this process.
std::vector<std::string> own_environment();

}  // namespace knarr::sys
