// SPDX-License-Identifier: Apache-2.0
// --change of import and commit: Dockerfile instructions that only touch the config.
#pragma once

#include <string_view>

#include "storage/image/image.h"

namespace knarr::storage {

// CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR, in any case, followed by a space
// or, as podman has it, "=". CMD, ENTRYPOINT and VOLUME take a JSON array or a line; ENV and LABEL NAME=VALUE
// pairs with quotes and backslashes, or one name and value apart by a space. Throws InvalidArgument that
// quotes the instruction.
void apply_change(ImageConfig& config, std::string_view instruction);

// What `over` says takes the place of what `config` says: a variable, a label, a whole command. Ports,
// volumes and instructions for builds are added.
void merge_config(ImageConfig& config, const ImageConfig& over);

}  // namespace knarr::storage
