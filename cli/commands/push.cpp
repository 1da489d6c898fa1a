// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/commands/copy_progress.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/push_options.h"
#include "cli/commands/registry_access.h"
#include "cli/commands/registry_verbs.h"

namespace knarr::cli {

namespace {

constexpr std::string_view docker_transport = "docker://";

storage::Reference destination_of(const Arguments& arguments, const storage::ImageStore& images) {
  const std::string& source = arguments.at(0);
  std::string name = source;
  if (arguments.positional().size() > 1) {
    name = arguments.at(1);
  } else if (!name.starts_with(docker_transport)) {
    name = images.resolve_name(source).value_or("");
    if (name.empty()) throw UsageError(concat(source, " is no name: say where to push it"));
  }
  if (name.starts_with(docker_transport)) name.erase(0, docker_transport.size());
  return storage::parse_destination(name);
}

int run(const Invocation& invocation, const Arguments& arguments) {
  storage::RegistryAccess access = read_registry_access(arguments);
  storage::PushOptions options = read_push_options(arguments);
  options.retry = access.retry;
  const storage::RegistriesConfig config = storage::load_registries_config(access.places);
  access.auth.helpers = config.credential_helpers;
  const engine::Engine engine = open_engine(invocation);
  const storage::Image image = engine.images().get_image(arguments.at(0));
  const storage::Reference destination = destination_of(arguments, engine.images());
  engine.enter_r();
  Output messages(STDERR_FILENO);
  CopyProgress progress(messages);
  if (!arguments.boolean("quiet"))
    options.progress = [&](const storage::LayerProgress& layer) { progress.update(layer); };
  const storage::Digest digest = with_context(concat("pushing ", render(destination)), [&] {
    return storage::push_to_registry(engine.store(), config, access, image, destination, options);
  });
  progress.finish();
  write_digest_file(arguments, digest);
  return 0;
}

}  // namespace

constinit const Verb push_verb = implement(push_description, run);

}  // namespace knarr::cli
