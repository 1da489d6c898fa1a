// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_list.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/stop_timeout.h"
#include "cli/commands/verbs.h"
#include "engine/launch/self_protect.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    all_flag,
    cidfile_flag,
    filter_flag,
    latest_flag,
    toggle("running", 0, "Restart all running containers"),
    stop_timeout_flag,
});
static_assert(is_well_formed(flags));

std::vector<Chosen> choose(const engine::Engine& engine, const Arguments& arguments) {
  if (!arguments.boolean("running")) return choose_containers(engine, arguments, {});
  if (!arguments.positional().empty()) throw UsageError("no names are allowed with --running");
  std::vector<Chosen> running;
  for (const ListedContainer& container : list_running(engine)) {
    running.push_back({container.summary.id, container.summary.id});
  }
  return running;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  engine::protect_own_binary(invocation.argv);
  const engine::Engine engine = open_engine(invocation);
  const std::optional<int> timeout = stop_timeout(arguments);
  return act_on_each(invocation.out, choose(engine, arguments), [&](const Chosen& container) {
    engine::restart(engine, container.id, timeout);
    return container.name;
  });
}

}  // namespace

constinit const Verb restart_verb = {
    .paths = {"restart", "container restart"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Stop containers and start them again",
    .examples = "restart web\nrestart -t 2 web db",
    .flags = flags,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
