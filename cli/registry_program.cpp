// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/registry_verbs.h"
#include "cli/global_flags.h"
#include "cli/program_groups.h"
#include "cli/program_table.h"

namespace knarr::cli {

namespace {

constexpr const Verb* verbs[] = {&login_verb, &logout_verb, &pull_verb, &push_verb, &search_verb};

}  // namespace

constinit const Program registry_program = {
    .verbs = verbs,
    .groups = verb_groups,
    .flags = global_flags,
    .root_flags = root_flags,
};

}  // namespace knarr::cli
