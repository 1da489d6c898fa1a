// SPDX-License-Identifier: Apache-2.0
// Run by knarr for engine/images.h; standard error goes to the user a line at a time.
#include <unistd.h>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/store_verbs.h"
#include "cli/output.h"
#include "storage/foreign/view.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::AdditionalStore additional(engine.store(), arguments.at(0));
  engine.enter_r();
  Output errors(STDERR_FILENO);
  for (const std::string& refusal : storage::make_view(engine.store(), additional)) errors.line(refusal);
  errors.flush();
  return 0;
}

}  // namespace

constinit const Verb view_image_store_verb = implement(view_image_store_description, run);

}  // namespace knarr::cli
