// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/lifecycle.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  engine::rename(engine, engine.containers().get_id(arguments.at(0)), arguments.at(1));
  return 0;
}

}  // namespace

constinit const Verb rename_verb = {
    .paths = {"rename", "container rename"},
    .usage = "CONTAINER NAME",
    .summary = "Rename a container",
    .examples = "rename web old-web",
    .min_arguments = 2,
    .max_arguments = 2,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
