// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/manifest_verbs.h"
#include "cli/commands/registry_access.h"
#include "cli/log.h"
#include "storage/image/image_checks.h"
#include "storage/image/manifest_list_json.h"
#include "storage/registry/remote_manifest.h"

namespace knarr::cli {

namespace {

std::string fetch(const Arguments& arguments) {
  storage::RegistryAccess access = read_registry_access(arguments);
  const storage::RegistriesConfig config = storage::load_registries_config(access.places);
  access.auth.helpers = config.credential_helpers;
  const storage::FetchedManifest manifest =
      storage::fetch_remote_manifest(config, access, arguments.at(0)).manifest;
  if (!storage::is_index_type(manifest.media_type))
    log_warning(concat(arguments.at(0), " is a single image, not a manifest list: ", manifest.media_type));
  return manifest.bytes;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const auto list = storage::ManifestListStore(engine.store()).find_list(arguments.at(0));
  invocation.out.line(storage::indent_json(
      list ? storage::render_index(index_of(*list, storage::oci_index_type)) : fetch(arguments)));
  return 0;
}

}  // namespace

constinit const Verb manifest_inspect_verb = implement(manifest_inspect_description, run);

}  // namespace knarr::cli
