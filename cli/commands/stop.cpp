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
    filter_flag,
    toggle("ignore", 'i', "Do not mind containers that do not exist"),
    latest_flag,
    stop_timeout_flag,
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool ignore = arguments.boolean("ignore");
  std::vector<Chosen> containers =
      choose_containers(engine, arguments, {.ignore_missing = ignore, .only_running = true});
  if (ignore) std::erase_if(containers, [](const Chosen& container) { return container.id.empty(); });
  const std::optional<int> timeout = stop_timeout(arguments);
  return act_on_each(invocation.out, containers, [&](const Chosen& container) {
    engine::stop(engine, container.id, timeout);
    return container.name;
  });
}

}  // namespace

constinit const Verb stop_verb = {
    .paths = {"stop", "container stop"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Stop containers",
    .description = "Sends the stop signal, and SIGKILL to what still runs after the timeout.",
    .examples = "stop web\nstop -t 2 --all",
    .flags = flags,
    .completion = Completion::running_containers,
    .run = run,
};

}  // namespace knarr::cli
