// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/manifest_verbs.h"
#include "cli/commands/registry_verbs.h"
#include "cli/global_flags.h"
#include "cli/program_groups.h"
#include "cli/program_table.h"

namespace knarr::cli {

namespace {

constexpr const Verb* verbs[] = {
    &fetch_verb,
    &login_verb,
    &logout_verb,
    &manifest_add_verb,
    &manifest_annotate_verb,
    &manifest_create_verb,
    &manifest_exists_verb,
    &manifest_inspect_verb,
    &manifest_push_verb,
    &manifest_remove_verb,
    &manifest_rm_verb,
    &pull_verb,
    &push_verb,
    &search_verb,
};

}  // namespace

constinit const Program registry_program = {
    .verbs = verbs,
    .groups = verb_groups,
    .flags = global_flags,
    .root_flags = root_flags,
};

}  // namespace knarr::cli
