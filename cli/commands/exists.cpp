// SPDX-License-Identifier: Apache-2.0
// container exists, image exists, volume exists, network exists: 0 or 1 and no word, for scripts.
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/images.h"
#include "storage/image/manifest_list.h"

namespace knarr::cli {

namespace {

constexpr auto container_flags = std::to_array<Flag>({
    toggle("external", 0, "Look for containers of other programs too; there are none"),
});

int run_container(const Invocation& invocation, const Arguments& arguments) {
  return open_engine(invocation).containers().find_id(arguments.at(0)) ? 0 : 1;
}

int run_image(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  if (storage::ManifestListStore(engine.store()).find_list(arguments.at(0))) return 0;
  return engine::find_image(engine, arguments.at(0)) ? 0 : 1;
}

int run_volume(const Invocation& invocation, const Arguments& arguments) {
  return open_engine(invocation).volumes().find_volume(arguments.at(0)) ? 0 : 1;
}

int run_network(const Invocation& invocation, const Arguments& arguments) {
  return open_engine(invocation).networks().find(arguments.at(0)) ? 0 : 1;
}

}  // namespace

constinit const Verb container_exists_verb = {
    .paths = {"container exists"},
    .usage = "[options] CONTAINER",
    .summary = "Exit with 0 when a container exists, else with 1",
    .examples = "container exists web || knarr run -d --name web ...",
    .flags = container_flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .completion = Completion::containers,
    .run = run_container,
};

constinit const Verb image_exists_verb = {
    .paths = {"image exists"},
    .usage = "IMAGE",
    .summary = "Exit with 0 when an image exists, else with 1",
    .examples = "image exists debian:12",
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_image,
};

constinit const Verb volume_exists_verb = {
    .paths = {"volume exists"},
    .usage = "VOLUME",
    .summary = "Exit with 0 when a volume exists, else with 1",
    .examples = "volume exists data",
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::volumes,
    .completion = Completion::volumes,
    .run = run_volume,
};

constinit const Verb network_exists_verb = {
    .paths = {"network exists"},
    .usage = "NETWORK",
    .summary = "Exit with 0 when a network exists, else with 1",
    .examples = "network exists web || knarr network create web",
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run_network,
};

}  // namespace knarr::cli
