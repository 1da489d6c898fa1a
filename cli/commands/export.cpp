// SPDX-License-Identifier: Apache-2.0
#include "engine/export.h"

#include <unistd.h>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/store_verbs.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const std::string output = arguments.text("output");
  const bool to_stdout = output.empty() || output == "-";
  if (to_stdout && ::isatty(STDOUT_FILENO) != 0)
    throw UsageError("refusing to export to a terminal: use the --output flag or redirect");
  const engine::Engine engine = open_engine(invocation);
  const std::string id = engine.containers().get_id(arguments.at(0));
  with_context(concat("exporting container ", arguments.at(0)),
               [&] { engine::export_container(engine, id, to_stdout ? "-" : output); });
  return 0;
}

}  // namespace

constinit const Verb export_verb = implement(export_description, run);

}  // namespace knarr::cli
