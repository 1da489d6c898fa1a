// SPDX-License-Identifier: Apache-2.0
#include "engine/create.h"

#include <fcntl.h>

#include <algorithm>

#include "engine/auto_ids.h"
#include "engine/container_ids.h"
#include "engine/images.h"
#include "engine/lifecycle.h"
#include "engine/network/reservations.h"
#include "engine/record.h"
#include "engine/request/networks.h"
#include "engine/run.h"
#include "engine/time_format.h"
#include "engine/volumes.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

std::optional<storage::Image> resolve_image(const Engine& engine, const CreateOptions& options) {
  const std::string& name = options.request.image;
  if (!options.request.rootfs.empty()) return std::nullopt;
  auto image = find_image_record(engine, name);
  if (!image) {
    NotFound error(concat("image \"", name, "\" is not in the local store"));
    error.set_hint("'knarr pull' fetches it from a registry, 'knarr load' from an archive");
    throw error;
  }
  // The record alone knows no names, and reading all of them is not needed: the container is called after the
  // one that was meant.
  if (const auto full_name = resolve_image_name(engine, *image, name)) image->names = {*full_name};
  return image;
}

// Until the record names them, nothing else keeps `network rm` from taking networks. The default one cannot
// be removed: whoever uses that alone waits for no lock.
std::optional<sys::Lock> hold_networks(const Engine& engine, const ContainerConfig& config) {
  const bool all_stay =
      std::all_of(config.networks.begin(), config.networks.end(),
                  [](const NetworkAttachment& one) { return one.network == default_network_name; });
  if (all_stay) return std::nullopt;
  return engine.networks().lock(sys::Lock::Mode::shared);
}

void write_cid_file(const std::string& path, const std::string& id) {
  if (path.empty()) return;
  with_context("writing the container ID file (--cidfile)",
               [&] { sys::create_file(AT_FDCWD, path, id, 0644, sys::Durability::none); });
}

sys::Lock store_record(const Engine& engine, const ContainerConfig& config, sys::Durability durability) {
  return engine.containers().create({.id = config.id,
                                     .name = config.name,
                                     .config_json = render_config(config),
                                     .summary = render_summary(summarize(config)),
                                     .durability = durability});
}

// A name the user gave must be free; a generated one is drawn again until it is.
sys::Lock store_under_free_name(const Engine& engine, ContainerConfig& config, sys::Durability durability) {
  if (!config.name.empty()) return store_record(engine, config, durability);
  constexpr int attempts = 20;
  for (int attempt = 1;; ++attempt) {
    config.name = random_container_name(attempt);
    try {
      return store_record(engine, config, durability);
    } catch (const Conflict&) {
      if (attempt == attempts) throw;
    }
  }
}

void replace_existing(const Engine& engine, const std::string& name) {
  if (name.empty()) return;
  if (const auto id = engine.containers().find_id(name)) {
    if (engine.load_config(*id).name == name)
      remove(engine, *id, {.force = true, .timeout_seconds = std::nullopt});
  }
}

}  // namespace

CreatedRecord create_record(const Engine& engine, const CreateOptions& options, sys::Durability durability) {
  // Until the record names the image, nothing else keeps a prune from taking it.
  const auto references = engine.store().lock_gc(sys::Lock::Mode::shared);
  const auto image = resolve_image(engine, options);
  if (options.replace) replace_existing(engine, options.request.name);
  ContainerConfig config =
      plan_config(options.request, image, engine.host(), render_rfc3339_nano(wall_clock_ns(), TimeZone::utc),
                  random_container_id(), options.request.name);
  config.transient = options.transient;
  resolve_container_modes(config.namespaces,
                          [&](const std::string& other) { return engine.containers().get_id(other); });
  if (discards_ports(options.request, config))
    engine.warn(concat("port mappings have been discarded: network mode ", config.namespaces.network,
                       " has no ports of its own to publish"));
  const auto networks = hold_networks(engine, config);
  resolve_networks(config.networks,
                   [&](const std::string& network) { return engine.networks().get(network); });
  write_cid_file(config.cid_file, config.id);
  try {
    ensure_volumes(engine, config);
    const auto ids = assign_auto_ids(engine, image, config);
    sys::Lock lock = store_under_free_name(engine, config, durability);
    if (!config.transient) reserve_addresses(engine.paths().store_root, config);
    return {std::move(config), std::move(lock)};
  } catch (...) {
    forget_side_effects(engine, config);
    throw;
  }
}

std::string create(const Engine& engine, const CreateOptions& options) {
  return create_record(engine, options, sys::Durability::synced).config.id;
}

}  // namespace knarr::engine
