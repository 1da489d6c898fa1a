// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/copy.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("archive", 'a', "Between containers, keep the owners").with_default("true"),
    toggle("follow-link", 'L', "Follow a link given as the source").not_yet().unlisted(),
    toggle("overwrite", 0, "Let files and directories replace each other").not_yet(),
    toggle("quiet", 'q', "Accepted for docker's sake, without effect").unlisted(),
});
static_assert(is_well_formed(flags));

// CONTAINER:PATH is in a container, unless it is a path with a slash before the colon: "./a:b", "/x:y".
engine::CopyEnd parse_end(const engine::Engine& engine, const std::string& text) {
  const std::size_t colon = text.find(':');
  const bool on_host = colon == std::string::npos || colon == 0 || text[0] == '/' || text[0] == '.';
  if (on_host) return {.container_id = "", .path = text};
  return {.container_id = engine.containers().get_id(text.substr(0, colon)), .path = text.substr(colon + 1)};
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const engine::CopyEnd source = parse_end(engine, arguments.at(0));
  const engine::CopyEnd destination = parse_end(engine, arguments.at(1));
  if (source.container_id.empty() && destination.container_id.empty()) {
    throw UsageError("one of source and destination must be CONTAINER:PATH");
  }
  if (source.path.empty() || destination.path.empty())
    throw UsageError("a path is missing behind CONTAINER:");
  for (const engine::CopyEnd* end : {&source, &destination}) {
    if (end->container_id.empty() && end->path == "-")
      throw Unsupported("copying a tar stream (-) is not supported yet");
  }
  engine::copy(engine, source, destination, {.keep_owners = arguments.boolean("archive")});
  return 0;
}

}  // namespace

constinit const Verb cp_verb = {
    .paths = {"cp", "container cp"},
    .usage = "[options] [CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
    .summary = "Copy files between a container and the host",
    .examples = "cp web:/etc/hosts .\ncp ./site/. web:/srv",
    .flags = flags,
    .min_arguments = 2,
    .max_arguments = 2,
    .completion = Completion::container_then_files,
    .run = run,
};

}  // namespace knarr::cli
