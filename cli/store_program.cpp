// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/archive_verbs.h"
#include "cli/commands/copy_verb.h"
#include "cli/global_flags.h"
#include "cli/program_groups.h"
#include "cli/program_table.h"

namespace knarr::cli {

namespace {

constexpr const Verb* verbs[] = {
    &adopt_verb, &commit_verb, &copy_stream_verb,  &export_verb,        &import_verb,
    &load_verb,  &save_verb,   &system_check_verb, &verify_layers_verb, &view_image_store_verb};

}  // namespace

constinit const Program store_program = {
    .verbs = verbs,
    .groups = verb_groups,
    .flags = global_flags,
    .root_flags = root_flags,
};

}  // namespace knarr::cli
