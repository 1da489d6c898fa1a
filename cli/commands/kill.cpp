// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/quote.h"
#include "engine/lifecycle.h"
#include "engine/signals.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    all_flag,
    cidfile_flag,
    latest_flag,
    text_flag("signal", 's', "SIGNAL", "Signal to send, by name or number").with_default("KILL"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const std::string name = arguments.text("signal");
  const auto signal = engine::parse_signal(name);
  if (!signal) throw InvalidArgument(concat("invalid signal: ", quote_go(name)));
  const engine::Engine engine = open_engine(invocation);
  const auto containers = choose_containers(engine, arguments, {.only_running = true});
  return act_on_each(invocation.out, containers, [&](const Chosen& container) {
    engine::kill(engine, container.id, *signal);
    return container.name;
  });
}

}  // namespace

constinit const Verb kill_verb = {
    .paths = {"kill", "container kill"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Send a signal to containers",
    .examples = "kill web\nkill -s HUP web",
    .flags = flags,
    .completion = Completion::running_containers,
    .run = run,
};

}  // namespace knarr::cli
