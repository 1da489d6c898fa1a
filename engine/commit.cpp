// SPDX-License-Identifier: Apache-2.0
#include "engine/commit.h"

#include <algorithm>

#include "engine/container_layers.h"
#include "engine/copy_place.h"
#include "engine/freeze.h"
#include "engine/images.h"
#include "engine/request/environment.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "storage/foreign/adopt.h"
#include "storage/image/change.h"
#include "storage/image/platform.h"
#include "storage/layer/unpack.h"

namespace knarr::engine {

namespace {

using storage::Image;
using storage::ImageConfig;

// Of a container without an image.
Image bare_image() {
  const storage::Platform host = storage::host_platform();
  Image image;
  image.os = host.os;
  image.architecture = host.architecture;
  image.variant = host.variant;
  return image;
}

Image base_image(const Engine& engine, const ContainerConfig& config) {
  if (config.image_id.empty()) return bare_image();
  auto image = find_record_in(engine, config.image_id, config.image_store);
  if (!image) throw NotFound(concat(config.image_id, ": image not known"));
  image->store.clear();
  return *std::move(image);
}

// An image of this store has its layers here. Those of a container whose image is in a store that is only
// read come by hard links, where these are possible.
void bring_layers(const Engine& engine, const ContainerConfig& config,
                  const std::vector<storage::Digest>& layers) {
  if (config.image_store.empty()) return;
  with_context(concat("taking over layers from ", config.image_store), [&] {
    const storage::ForeignStore source = storage::ForeignStore::open(config.image_store);
    adopt_layers(engine.store(), source, choose_foreign_image(source, config.image_id));
  });
  settle_layers(engine.store(), layers, storage::Settling::in_background);
}

std::string words_of(const ContainerConfig& config) {
  std::string words;
  for (const auto* list : {&config.entrypoint, &config.command}) {
    for (const std::string& word : *list) words += words.empty() ? word : " " + word;
  }
  return words;
}

void add_mounts(const ContainerConfig& container, ImageConfig& config) {
  std::set<std::string> volumes(config.volumes.begin(), config.volumes.end());
  for (const MountRequest& mount : container.mounts) {
    const bool holds_files =
        mount.type == MountRequest::Type::volume || mount.type == MountRequest::Type::bind;
    if (holds_files) volumes.insert(mount.destination);
  }
  config.volumes.assign(volumes.begin(), volumes.end());
}

// What the container got from its image it gives back; what is the engine's default an image need not say.
ImageConfig container_config(const ContainerConfig& container, const ImageConfig& base) {
  const ContainerConfig defaults;
  ImageConfig config = base;
  config.env = committed_environment(container.env, base.env);
  config.entrypoint = container.entrypoint;
  config.cmd = container.command;
  config.labels = container.labels;
  // With keep-id the engine itself chooses the user, which would be a stranger elsewhere.
  const bool is_chosen = base.user.empty() && container.namespaces.user.starts_with("keep-id");
  if (!is_chosen) config.user = container.user;
  if (container.working_dir != defaults.working_dir || !base.working_dir.empty())
    config.working_dir = container.working_dir;
  if (container.stop_signal != defaults.stop_signal || !base.stop_signal.empty())
    config.stop_signal = container.stop_signal;
  return config;
}

std::string created_at(const CommitOptions& options) {
  constexpr std::int64_t second = 1'000'000'000;
  return render_rfc3339_nano(options.source_date ? *options.source_date * second : wall_clock_ns(),
                             TimeZone::utc);
}

storage::CommitRequest plan_request(const Engine& engine, const ContainerConfig& config,
                                    const CommitOptions& options) {
  storage::CommitRequest request;
  const std::string created = created_at(options);
  request.image = plan_commit(config, base_image(engine, config), options, created);
  request.step = {.created = created,
                  .created_by = words_of(config),
                  .author = options.author,
                  .comment = options.message};
  request.now = container_layers(engine, config);
  if (!config.image_id.empty()) request.before = image_layers(engine, config.image_id, config.image_store);
  request.leave_out = engine_places(config);
  request.squash = options.squash;
  request.format = options.format;
  if (options.name) request.names.push_back(storage::normalize(*options.name));
  request.newest = options.source_date;
  request.confirm = [&engine, config] { require_container(engine, config); };
  return request;
}

}  // namespace

Image plan_commit(const ContainerConfig& container, const Image& base, const CommitOptions& options,
                  const std::string& created) {
  Image image = base;
  image.names.clear();
  image.indexes.clear();
  image.created = created;
  image.author = options.author.empty() ? base.author : options.author;
  image.comment = options.format == storage::ManifestKind::docker ? options.message : "";
  image.config = container_config(container, base.config);
  if (options.include_volumes) add_mounts(container, image.config);
  if (options.config) merge_config(image.config, *options.config);
  for (const std::string& change : options.changes) apply_change(image.config, change);
  return image;
}

Image commit(const Engine& engine, const std::string& id, const CommitOptions& options) {
  const ContainerConfig config = engine.load_config(id);
  return with_context(concat("committing container ", config.name), [&] {
    const auto lock = lock_resting(engine, {{.container_id = id, .path = {}}});
    const storage::CommitRequest request = plan_request(engine, config, options);
    engine.enter_r();
    std::optional<FrozenContainer> frozen;
    const ContainerStatus status = engine.status(id);
    if (options.pause && status.state == State::running) {
      frozen.emplace(status.init, config.init);
      if (!frozen->is_complete())
        engine.warn("some of the container's processes cannot be paused and may change files meanwhile");
    }
    const storage::LayerClaim claim(engine.store(), request.image.layers);
    if (!request.squash) bring_layers(engine, config, request.image.layers);
    return storage::commit_changes(engine.store(), request,
                                   [&engine](const std::string& line) { engine.warn(line); });
  });
}

}  // namespace knarr::engine
