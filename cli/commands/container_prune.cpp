// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/unused.h"
#include "cli/commands/verbs.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match: label=, label!=, until="),
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const Filters filters = parse_filters(arguments.list("filter"), prune_filters);
  const engine::Engine engine = open_engine(invocation);
  if (!arguments.boolean("force") &&
      !confirm(invocation.out, "WARNING! This will remove all non running containers.")) {
    return 0;
  }
  std::vector<Chosen> unused;
  for (const ListedContainer& container : unused_containers(engine, filters))
    unused.push_back({container.summary.id, container.summary.id});
  return act_on_each(invocation.out, unused, [&](const Chosen& container) {
    engine::remove(engine, container.id, {});
    return container.id;
  });
}

}  // namespace

constinit const Verb container_prune_verb = {
    .paths = {"container prune"},
    .usage = "[options]",
    .summary = "Remove all containers that do not run",
    .examples = "container prune -f --filter until=24h",
    .flags = flags,
    .max_arguments = 0,
    .run = run,
};

}  // namespace knarr::cli
