// SPDX-License-Identifier: Apache-2.0
// The programs in libexec that have the verbs which need more than libc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

// Replaces this process by the helper, with the same argv: its texts name the command that was typed.
[[noreturn]] void run_helper(std::string_view helper, const std::vector<std::string>& argv);

}  // namespace knarr::cli
