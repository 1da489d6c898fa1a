// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/reset.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(flags));

std::string make_warning(const rootless::Paths& paths) {
  return concat(
      "WARNING! This will remove:\n"
      "\t- all containers\n"
      "\t- all images\n"
      "\t- all volumes\n"
      "\t- the graphRoot directory: \"",
      paths.store_root, "\"\n\t- the runRoot directory: \"", paths.run_root, '"');
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  if (arguments.boolean("force") || confirm(invocation.out, make_warning(engine.paths())))
    engine::reset(engine);
  return 0;
}

}  // namespace

constinit const Verb system_reset_verb = {
    .paths = {"system reset"},
    .usage = "[options]",
    .summary = "Remove everything: containers, images, volumes and the store itself",
    .examples = "system reset\nsystem reset --force",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = run,
};

}  // namespace knarr::cli
