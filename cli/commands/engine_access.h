// SPDX-License-Identifier: Apache-2.0
// The engine as the program's own flags want it.
#pragma once

#include "cli/verb.h"
#include "engine/engine.h"

namespace knarr::cli {

engine::Engine open_engine(const Invocation& invocation);

}  // namespace knarr::cli
