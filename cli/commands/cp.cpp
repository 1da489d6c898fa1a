// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/copy_verb.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/helper_program.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const CopyRequest request = parse_copy(engine, arguments);
  if (is_stream(request.source) || is_stream(request.destination))
    run_helper(copy_description.helper, invocation.argv);
  engine::copy(engine, request.source, request.destination, request.options);
  return 0;
}

}  // namespace

constinit const Verb cp_verb = implement(copy_description, run);

}  // namespace knarr::cli
