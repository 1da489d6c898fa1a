// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/policy_path.h"
#include "cli/commands/remote_file.h"
#include "cli/commands/store_verbs.h"
#include "cli/errors.h"
#include "storage/archive.h"
#include "storage/registry/policy.h"

namespace knarr::cli {

namespace {

std::string input_path(const Arguments& arguments) {
  const std::string path = arguments.text("input");
  if (!path.empty()) return path;
  if (::isatty(STDIN_FILENO) != 0)
    throw UsageError("cannot read from a terminal, use command-line redirection or the --input flag");
  return "-";
}

int run(const Invocation& invocation, const Arguments& arguments) {
  std::string path = input_path(arguments);
  std::unique_ptr<RemoteFile> remote;
  const std::string place = path == "-" || is_url(path) ? "" : policy_path(path);
  const storage::Policy policy =
      storage::load_policy(storage::config_places(), arguments.text("signature-policy"));
  const engine::Engine engine = open_engine(invocation);
  if (is_url(path)) {
    remote = RemoteFile::fetch(engine, path);
    if (!remote) return engine_failure;
    path = remote->path();
  }
  engine.enter_r();
  const auto admit = [&](storage::Transport format) {
    check_transport_policy(policy, {.transport = format, .path = place, .reference = {}});
  };
  for (const storage::LoadedImage& loaded :
       storage::load_archive(engine.store(), path, read_settling(arguments), admit)) {
    if (loaded.names.empty()) invocation.out.line("Loaded image: sha256:", loaded.image.id);
    for (const std::string& name : loaded.names) invocation.out.line("Loaded image: ", name);
  }
  return 0;
}

}  // namespace

constinit const Verb load_verb = implement(load_description, run);

}  // namespace knarr::cli
