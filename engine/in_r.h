// SPDX-License-Identifier: Apache-2.0
// Work that needs the ids of R, done in a child: this process stays who it is.
#pragma once

#include <functional>
#include <string>

#include "engine/engine.h"

namespace knarr::engine {

// What fails in the child is thrown here, as an Error with the same words.
void run_in_r(const Engine& engine, const std::function<void()>& act);

// The text that `ask` returns in the child.
std::string read_in_r(const Engine& engine, const std::function<std::string()>& ask);

}  // namespace knarr::engine
