// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/push_session.h"
#include "cli/commands/registry_verbs.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  PushSession session(engine, arguments);
  const std::string& name = arguments.at(0);
  const auto image = engine.images().find_image(name);
  const auto list = image ? std::nullopt : storage::ManifestListStore(engine.store()).find_list(name);
  if (list)
    session.push(*list, arguments.boolean("all"));
  else
    session.push(image ? *image : engine.images().get_image(name));
  return 0;
}

}  // namespace

constinit const Verb push_verb = implement(push_description, run);

}  // namespace knarr::cli
