// SPDX-License-Identifier: Apache-2.0
// `run` and `create` of an image that is not in the store: knarr-registry fetches it.
#pragma once

#include "cli/verb.h"
#include "engine/engine.h"

namespace knarr::cli {

// Pulls the image when --pull asks for it; costs one look at a link when nothing is to be done. Returns 0, or
// the exit status for an image that could not be had: the user has been told why.
int pull_if_needed(const engine::Engine& engine, const Invocation& invocation, const Arguments& arguments);

}  // namespace knarr::cli
