// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/remote_file.h"
#include "cli/commands/store_verbs.h"
#include "cli/errors.h"
#include "storage/archive.h"
#include "storage/registry/policy.h"

namespace knarr::cli {

namespace {

int run(const Invocation& invocation, const Arguments& arguments) {
  std::string path = arguments.at(0);
  storage::ImportOptions options;
  if (arguments.positional().size() > 1) options.name = arguments.at(1);
  options.changes = arguments.list("change");
  options.message = arguments.text("message");
  options.architecture = arguments.text("arch");
  options.os = arguments.text("os");
  options.variant = arguments.text("variant");
  options.settling = read_settling(arguments);
  check_import_policy(storage::load_policy(storage::config_places(), arguments.text("signature-policy")),
                      path);
  const engine::Engine engine = open_engine(invocation);
  std::unique_ptr<RemoteFile> remote;
  if (is_url(path)) {
    options.origin = path;
    remote = RemoteFile::fetch(engine, path);
    if (!remote) return engine_failure;
    path = remote->path();
  }
  engine.enter_r();
  const storage::Image image = storage::import_tree(engine.store(), path, options);
  invocation.out.line("sha256:", image.id);
  return 0;
}

}  // namespace

constinit const Verb import_verb = implement(import_description, run);

}  // namespace knarr::cli
