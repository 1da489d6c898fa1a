// SPDX-License-Identifier: Apache-2.0
// What a container runs: entrypoint and command of image and user. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// --entrypoint: a JSON array of strings, or else one word.
std::vector<std::string> parse_entrypoint(std::string_view text);

// Fills entrypoint and command. An entrypoint of the user's replaces the image's and drops the image's
// command, which was written for the other one. Throws InvalidArgument when nothing is left to run.
void plan_command(const CreateRequest& request, const storage::ImageConfig& image, ContainerConfig& config);

}  // namespace knarr::engine
