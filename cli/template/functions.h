// SPDX-License-Identifier: Apache-2.0
// The functions a template can call, but and and or, which do not evaluate all their arguments.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/template/template.h"
#include "cli/template/value.h"

namespace knarr::cli::templates {

// Throws TemplateError that says what is wrong, without the place.
Value call_function(std::string_view name, std::span<const Value> arguments);

// fmt.Sprint, Sprintln and Sprintf.
std::string sprint(std::span<const Value> arguments);
std::string sprintln(std::span<const Value> arguments);
std::string sprintf(std::string_view format, std::span<const Value> arguments);

}  // namespace knarr::cli::templates
