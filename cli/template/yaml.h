// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/template/value.h"

namespace knarr::cli::templates {

// YAML 1.2 in block style, as `info` shows it. Strings that YAML would read as something else are quoted.
std::string render_yaml(const Value& value);

}  // namespace knarr::cli::templates
