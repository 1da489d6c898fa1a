// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/stop_timeout.h"
#include "cli/commands/verbs.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    all_flag,
    cidfile_flag,
    toggle("depend", 0, "Remove the containers that need it, too").not_yet(),
    array_flag("filter", 0, "NAME=VALUE", "Remove the containers that match"),
    toggle("force", 'f', "Stop running containers first; do not mind missing ones"),
    toggle("ignore", 'i', "Do not mind containers that do not exist"),
    latest_flag,
    stop_timeout_flag,
    toggle("volumes", 'v', "Remove their anonymous volumes, too"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool force = arguments.boolean("force");
  const bool ignore = force || arguments.boolean("ignore");
  std::vector<Chosen> containers = choose_containers(engine, arguments, {.ignore_missing = ignore});
  if (ignore) std::erase_if(containers, [](const Chosen& container) { return container.id.empty(); });
  const engine::RemoveOptions options = {
      .force = force, .volumes = arguments.boolean("volumes"), .timeout_seconds = stop_timeout(arguments)};
  const auto remove = [&](const Chosen& container) {
    engine::remove(engine, container.id, options);
    return container.name;
  };
  return act_on_each(invocation.out, containers, remove, {.missing = 1, .conflict = 2});
}

}  // namespace

constinit const Verb rm_verb = {
    .paths = {"rm", "container rm", "container remove"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Remove containers",
    .description = "Exits with 1 when a container does not exist, with 2 when one is running.",
    .examples = "rm web\nrm -f --all",
    .flags = flags,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
