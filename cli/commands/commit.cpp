// SPDX-License-Identifier: Apache-2.0
#include "engine/commit.h"

#include <fcntl.h>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/source_date.h"
#include "cli/commands/store_verbs.h"
#include "rootless/sys/file.h"
#include "storage/image/image_config_json.h"

namespace knarr::cli {

namespace {

storage::ManifestKind format_of(const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (format == "oci") return storage::ManifestKind::oci;
  if (format == "docker") return storage::ManifestKind::docker;
  throw UsageError(concat("unknown format \"", format, "\": it is oci or docker"));
}

std::optional<storage::ImageConfig> read_config(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return with_context(concat("reading ", path), [&] {
    return storage::parse_config_member(sys::read_file(AT_FDCWD, path, storage::max_config_bytes));
  });
}

engine::CommitOptions options_of(const Arguments& arguments) {
  engine::CommitOptions options;
  options.author = arguments.text("author");
  options.message = arguments.text("message");
  options.changes = arguments.list("change");
  options.config = read_config(arguments.text("config"));
  options.format = format_of(arguments);
  options.include_volumes = arguments.boolean("include-volumes");
  options.pause = arguments.boolean("pause");
  options.squash = arguments.boolean("squash");
  options.source_date = source_date();
  if (arguments.positional().size() > 1) {
    options.name = storage::parse_reference(arguments.at(1));
    if (options.name->digest)
      throw UsageError(concat("an image cannot be called by a digest: ", arguments.at(1)));
  }
  return options;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::CommitOptions options = options_of(arguments);
  const engine::Engine engine = open_engine(invocation);
  const storage::Image image = engine::commit(engine, engine.containers().get_id(arguments.at(0)), options);
  if (const std::string file = arguments.text("iidfile"); !file.empty())
    sys::replace_file(AT_FDCWD, file, image.id, 0644, sys::Durability::none);
  invocation.out.line(image.id);
  return 0;
}

}  // namespace

constinit const Verb commit_verb = implement(commit_description, run);

}  // namespace knarr::cli
