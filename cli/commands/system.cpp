// SPDX-License-Identifier: Apache-2.0
// Verbs that another design needs. Here user namespaces are made anew from /etc/subuid and locks have no
// numbers, so there is nothing to do, and scripts that call them go on.
#include "cli/commands/verbs.h"

namespace knarr::cli {

namespace {

constexpr auto migrate_flags = std::to_array<Flag>({
    text_flag("new-runtime", 0, "NAME", "Runtime for all containers").not_yet(),
});

int do_nothing(const Invocation&, const Arguments&) {
  return 0;
}

}  // namespace

constinit const Verb migrate_verb = {
    .paths = {"system migrate"},
    .usage = "[options]",
    .summary = "Accepted for podman's sake: there is never anything to migrate",
    .flags = migrate_flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = do_nothing,
};

constinit const Verb renumber_verb = {
    .paths = {"system renumber"},
    .summary = "Accepted for podman's sake: locks have no numbers here",
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = do_nothing,
};

}  // namespace knarr::cli
