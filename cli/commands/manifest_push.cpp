// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/manifest_verbs.h"
#include "cli/commands/push_session.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::ManifestListStore lists(engine.store());
  const storage::ManifestList list = lists.get_list(arguments.at(0));
  PushSession(engine, arguments).push(list, arguments.boolean("all"));
  if (arguments.boolean("rm")) lists.remove_list(list);
  return 0;
}

}  // namespace

constinit const Verb manifest_push_verb = implement(manifest_push_description, run);

}  // namespace knarr::cli
