// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/commands/copy_verb.h"
#include "cli/commands/engine_access.h"
#include "cli/errors.h"
#include "engine/copy_archive.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const CopyRequest request = parse_copy(engine, arguments);
  if (is_stream(request.source)) {
    engine::copy_from_archive(engine, request.destination, request.options);
  } else {
    if (::isatty(STDOUT_FILENO) != 0)
      throw UsageError("a tar is not written to a terminal: redirect standard output");
    engine::copy_to_archive(engine, request.source);
  }
  return 0;
}

}  // namespace

constinit const Verb copy_stream_verb = implement(copy_description, run);

}  // namespace knarr::cli
