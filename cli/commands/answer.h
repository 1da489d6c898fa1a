// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace knarr::cli {

constexpr char interrupt = 3;  // Ctrl-C, where it is no signal

// Standard input up to a line break, which is left out, an interrupt, which is not, or its end.
std::string read_line();

}  // namespace knarr::cli
