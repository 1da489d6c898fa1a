// SPDX-License-Identifier: Apache-2.0
// `run` and `create` of an image that is not in the store: knarr-registry fetches it.
#pragma once

#include <optional>
#include <string>

#include "cli/verb.h"
#include "engine/engine.h"

namespace knarr::cli {

// Pulls the image when --pull asks for it; costs one look at a link when nothing is to be done. Returns what
// it is called in the store; nullopt when it could not be had: the user has been told why.
std::optional<std::string> obtain_image(const engine::Engine& engine, const Invocation& invocation,
                                        const Arguments& arguments);

}  // namespace knarr::cli
