// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/registry_verbs.h"
#include "cli/global_flags.h"
#include "cli/program_groups.h"
#include "cli/program_table.h"

namespace knarr::cli {

namespace {

constexpr std::array<const Verb*, 0> verbs{};

}  // namespace

constinit const Program registry_program = {
    .verbs = verbs,
    .groups = verb_groups,
    .flags = global_flags,
    .root_flags = root_flags,
};

}  // namespace knarr::cli
