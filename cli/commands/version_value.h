// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/template/value.h"

namespace knarr::cli {

// As `version` and `info` show it.
templates::Value version_value();
// This machine's architecture in the words of images: "amd64", "arm64".
std::string machine_architecture();

}  // namespace knarr::cli
