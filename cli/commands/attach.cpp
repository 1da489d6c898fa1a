// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    text_flag("detach-keys", 0, "KEYS", "Keys that leave the container running")
        .with_default("ctrl-p,ctrl-q"),
    latest_flag,
    toggle("no-stdin", 0, "Do not attach to standard input"),
    toggle("sig-proxy", 0, "Pass signals on to the container").with_default("true"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::string id = choose_one(engine, arguments);
  const auto exit_code = engine::attach(engine, id,
                                        {.input = !arguments.boolean("no-stdin"),
                                         .detach_keys = arguments.text("detach-keys"),
                                         .signal_proxy = arguments.boolean("sig-proxy")});
  return exit_code.value_or(0);
}

}  // namespace

constinit const Verb attach_verb = {
    .paths = {"attach", "container attach"},
    .usage = "[options] CONTAINER",
    .summary = "Attach to a running container",
    .examples = "attach web\nattach --no-stdin web",
    .flags = flags,
    .max_arguments = 1,
    .completion = Completion::running_containers,
    .run = run,
};

}  // namespace knarr::cli
