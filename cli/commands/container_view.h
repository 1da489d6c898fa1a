// SPDX-License-Identifier: Apache-2.0
// A container as `inspect` shows it.
#pragma once

#include <string>

#include "cli/template/value.h"
#include "engine/engine.h"

namespace knarr::cli {

templates::Value inspect_container(const engine::Engine& engine, const std::string& id);

}  // namespace knarr::cli
