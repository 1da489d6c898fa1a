// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/copy_verb.h"
#include "cli/errors.h"

namespace knarr::cli {

namespace {

// CONTAINER:PATH is in a container, unless it is a path with a slash before the colon: "./a:b", "/x:y".
engine::CopyEnd parse_end(const engine::Engine& engine, const std::string& text) {
  const std::size_t colon = text.find(':');
  const bool on_host = colon == std::string::npos || colon == 0 || text[0] == '/' || text[0] == '.';
  if (on_host) return {.container_id = "", .path = text};
  return {.container_id = engine.containers().get_id(text.substr(0, colon)), .path = text.substr(colon + 1)};
}

}  // namespace

CopyRequest parse_copy(const engine::Engine& engine, const Arguments& arguments) {
  const CopyRequest request{.source = parse_end(engine, arguments.at(0)),
                            .destination = parse_end(engine, arguments.at(1)),
                            .options = {.give_to_user = arguments.boolean("archive"),
                                        .replace_other_kinds = arguments.boolean("overwrite")}};
  if (request.source.container_id.empty() && request.destination.container_id.empty()) {
    throw UsageError("one of source and destination must be CONTAINER:PATH");
  }
  if (request.source.path.empty() || request.destination.path.empty())
    throw UsageError("a path is missing behind CONTAINER:");
  return request;
}

bool is_stream(const engine::CopyEnd& end) {
  return end.container_id.empty() && end.path == "-";
}

}  // namespace knarr::cli
