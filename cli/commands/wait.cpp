// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <climits>

#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/quote.h"
#include "engine/lifecycle.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    list_flag("condition", 0, "CONDITION", "What to wait for: stopped, running, created or removing")
        .one_of("stopped exited running created removing"),
    toggle("ignore", 0, "Do not mind containers that do not exist"),
    text_flag("interval", 'i', "DURATION", "How often to look").with_default("250ms"),
    latest_flag,
});
static_assert(is_well_formed(flags));

engine::WaitCondition parse_condition(const std::string& name) {
  using engine::WaitCondition;
  if (name == "stopped" || name == "exited") return WaitCondition::stopped;
  if (name == "running") return WaitCondition::running;
  if (name == "created" || name == "configured") return WaitCondition::created;
  if (name == "removing") return WaitCondition::removed;
  if (name == "healthy" || name == "unhealthy" || name == "paused" || name == "stopping" ||
      name == "initialized") {
    throw Unsupported(concat("--condition ", name, " is not supported yet"));
  }
  throw InvalidArgument(concat("unknown container state ", quote_go(name)));
}

// A number alone is milliseconds.
unsigned parse_interval(const std::string& text) {
  constexpr std::int64_t ns_per_millisecond = 1'000'000;
  auto ns = engine::parse_duration(text);
  if (!ns) ns = engine::parse_duration(text + "ms");
  if (!ns || *ns <= 0) throw InvalidArgument(concat("invalid --interval ", quote_go(text)));
  return static_cast<unsigned>(std::clamp<std::int64_t>(*ns / ns_per_millisecond, 1, INT_MAX));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  engine::WaitOptions options;
  for (const std::string& name : arguments.list("condition"))
    options.conditions.push_back(parse_condition(name));
  options.interval_ms = parse_interval(arguments.text("interval"));
  const engine::Engine engine = open_engine(invocation);
  const bool ignore = arguments.boolean("ignore");
  const std::vector<Chosen> containers = choose_containers(engine, arguments, {.ignore_missing = ignore});
  return act_on_each(invocation.out, containers, [&](const Chosen& container) -> std::string {
    return std::to_string(engine::wait(engine, container.id, options));
  });
}

}  // namespace

constinit const Verb wait_verb = {
    .paths = {"wait", "container wait"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Wait for containers and print their exit codes",
    .examples = "wait web\nwait --condition running web",
    .flags = flags,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
