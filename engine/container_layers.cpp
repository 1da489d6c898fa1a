// SPDX-License-Identifier: Apache-2.0
#include "engine/container_layers.h"

#include "engine/container_owner.h"
#include "engine/rootfs.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/overlay/mount_points.h"

namespace knarr::engine {

namespace {

storage::TreeStack plain_layers(const std::vector<std::string>& trees) {
  storage::TreeStack layers;
  for (const std::string& tree : trees) layers.push_back({.path = tree});
  return layers;
}

storage::TreeLayer writable_layer(const Engine& engine, const ContainerConfig& config, std::string path) {
  const rootless::IdMaps maps = container_maps(engine, config);
  return {.path = std::move(path), .map_uid = seen_through(maps.uids), .map_gid = seen_through(maps.gids)};
}

}  // namespace

storage::TreeStack image_layers(const Engine& engine, const std::string& image_id, const std::string& store) {
  return plain_layers(image_trees(engine, image_id, store));
}

storage::TreeStack container_layers(const Engine& engine, const ContainerConfig& config) {
  const storage::RootfsPlan plan = plan_rootfs(engine, config);
  if (!plan.directory.empty()) {
    // Without an overlay the first start copies the image.
    const bool is_made = sys::stat_at(AT_FDCWD, plan.directory).has_value();
    if (is_made || plan.lowers.empty()) return {writable_layer(engine, config, plan.directory)};
    return plain_layers(plan.lowers);
  }
  storage::TreeStack layers = plain_layers(plan.lowers);
  layers.insert(layers.begin(), writable_layer(engine, config, plan.upper));
  layers.front().has_named_whiteouts = plan.driver == storage::OverlayDriver::fuse;
  return layers;
}

storage::TreeStack visible_layers(const Engine& engine, const ContainerConfig& config) {
  storage::TreeStack layers = container_layers(engine, config);
  const bool has_places = storage::has_mount_points(engine.store()) &&
                          uses_mount_points(engine, config, plan_rootfs(engine, config));
  if (has_places) layers.push_back({.path = storage::mount_points_path(engine.store())});
  return layers;
}

void require_container(const Engine& engine, const ContainerConfig& config) {
  if (!engine.containers().read_if_exists(config.id, "config.json"))
    throw Conflict(concat("container ", config.name, " was removed meanwhile"));
}

std::set<std::string> engine_places(const ContainerConfig& config) {
  std::set<std::string> places = {"/dev", "/proc", "/sys", "/run/.containerenv"};
  if (!config.no_hosts) places.insert("/etc/hosts");
  if (!config.no_hostname) places.insert("/etc/hostname");
  if (config.dns_servers != std::vector<std::string>{"none"}) places.insert("/etc/resolv.conf");
  if (!config.timezone.empty()) places.insert("/etc/localtime");
  return places;
}

}  // namespace knarr::engine
