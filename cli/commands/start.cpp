// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "engine/launch/self_protect.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 0, "Start all containers"),
    toggle("attach", 'a', "Attach to standard output and error"),
    text_flag("detach-keys", 0, "KEYS", "Keys that leave the container running")
        .with_default("ctrl-p,ctrl-q"),
    filter_flag,
    toggle("interactive", 'i', "Attach to standard input"),
    latest_flag,
    toggle("sig-proxy", 0, "Pass signals on to the container (default true when attached)"),
});
static_assert(is_well_formed(flags));

int start_attached(const engine::Engine& engine, const std::vector<Chosen>& containers,
                   const Arguments& arguments) {
  if (containers.size() != 1) throw UsageError("you cannot start and attach multiple containers at once");
  const Chosen& container = containers.front();
  if (container.id.empty()) engine.containers().get_id(container.name);  // throws NotFound
  const bool terminal = engine.load_config(container.id).terminal;
  const bool proxy = arguments.given("sig-proxy") ? arguments.boolean("sig-proxy") : true;
  const auto exit_code = engine::start(engine, container.id,
                                       {.attach = true,
                                        .interactive = arguments.boolean("interactive"),
                                        .detach_keys = arguments.text("detach-keys"),
                                        .signal_proxy = proxy && !terminal});
  return exit_code.value_or(0);
}

int run(const Invocation& invocation, const Arguments& arguments) {
  engine::protect_own_binary(invocation.argv);
  const engine::Engine engine = open_engine(invocation);
  const std::vector<Chosen> containers = choose_containers(engine, arguments, {});
  if (arguments.boolean("attach") || arguments.boolean("interactive")) {
    return start_attached(engine, containers, arguments);
  }
  if (arguments.boolean("sig-proxy")) throw UsageError("--sig-proxy needs --attach");
  return act_on_each(invocation.out, containers, [&](const Chosen& container) {
    engine::start(engine, container.id, {});
    return container.name;
  });
}

}  // namespace

constinit const Verb start_verb = {
    .paths = {"start", "container start"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Start containers",
    .examples = "start web db\nstart -ai shell",
    .flags = flags,
    .completion = Completion::stopped_containers,
    .run = run,
};

}  // namespace knarr::cli
