// SPDX-License-Identifier: Apache-2.0
// How errors reach the user.
#pragma once

#include <string>

#include "rootless/sys/error.h"

namespace knarr::cli {

constexpr int engine_failure = 125;

// "Error: MESSAGE" and, if there is one, "hint: HINT", on standard error in one write(2).
void print_error(const Error& error);
// Pure: the text print_error() writes.
std::string render_error(const Error& error);

}  // namespace knarr::cli
