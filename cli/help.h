// SPDX-License-Identifier: Apache-2.0
// Help texts, rendered from the tables. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cli/verb.h"

namespace knarr::cli {

// `knarr`, `knarr --help`
std::string render_program_help(const Program& program, std::string_view name);
// `knarr container --help`
std::string render_group_help(const Program& program, std::string_view name, const VerbGroup& group);
// `knarr container rm --help`; `command` is "knarr container rm".
std::string render_verb_help(std::string_view name, std::string_view command, const Verb& verb);

}  // namespace knarr::cli
