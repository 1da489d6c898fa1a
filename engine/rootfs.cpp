// SPDX-License-Identifier: Apache-2.0
#include "engine/rootfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "engine/container_layers.h"
#include "engine/helpers.h"
#include "engine/images.h"
#include "engine/in_r.h"
#include "engine/spec/spec.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "rootless/sys/program.h"
#include "storage/layer/layer.h"
#include "storage/overlay/clone.h"
#include "storage/overlay/mount_points.h"
#include "storage/tree_copy.h"

namespace knarr::engine {

namespace {

// The owner in R of what belongs to `id` in the image.
std::uint32_t owner_for(const rootless::IdMap& map, std::uint32_t id, const char* kind) {
  const auto outside = rootless::map_to_outside(map, id);
  if (outside) return *outside;
  throw InvalidArgument(concat("the image has files of ", kind, " ", id,
                               ", which the container's user namespace does not map"));
}

// For the options of copies and of clones.
template <typename Options>
void map_owners(const rootless::IdMaps& maps, Options& options) {
  if (!maps.uids.empty()) options.map_uid = [&maps](uid_t uid) { return owner_for(maps.uids, uid, "uid"); };
  if (!maps.gids.empty()) options.map_gid = [&maps](gid_t gid) { return owner_for(maps.gids, gid, "gid"); };
}

// The layers as one tree in a new directory of staging/.
storage::Store::Staging flatten_layers(const Engine& engine, const std::vector<std::string>& lowers,
                                       const rootless::IdMaps& maps) {
  storage::Store::Staging staging = engine.store().make_staging("rootfs");
  sys::make_directory(engine.store().fd(), staging.path + "/diff", 0755);
  const sys::UniqueFd target = sys::open_directory(engine.store().fd(), staging.path + "/diff");
  storage::TreeCopyOptions options{.apply_whiteouts = true, .map_uid = {}, .map_gid = {}};
  map_owners(maps, options);
  for (auto lower = lowers.rbegin(); lower != lowers.rend(); ++lower) {
    const sys::UniqueFd source = sys::open_directory(AT_FDCWD, *lower);
    with_context("copying the image", [&] { storage::copy_tree(source.get(), target.get(), options); });
  }
  return staging;
}

bool is_mapped_in(const rootless::IdMap& map, std::uint32_t id_in_r) {
  return std::any_of(map.begin(), map.end(), [id_in_r](const rootless::IdExtent& extent) {
    return id_in_r >= extent.outside && id_in_r - extent.outside < extent.count;
  });
}

// What is on its way to the disk as a rename says it is whole could be missing after a power cut. Metadata
// alone comes there in order.
void sync_content(const Engine& engine) {
  if (::syncfs(engine.store().fd()) < 0) throw_errno("syncing ", engine.store().root());
}

// The layers as a clone in a new directory of staging/.
storage::Store::Staging clone_layers(const Engine& engine, const std::vector<std::string>& lowers,
                                     const rootless::IdMaps& maps) {
  storage::Store::Staging staging = engine.store().make_staging("clone");
  sys::make_directory(engine.store().fd(), staging.path + "/clone", 0755);
  const sys::UniqueFd target = sys::open_directory(engine.store().fd(), staging.path + "/clone");
  storage::CloneOptions options{.map_uid = {}, .map_gid = {}, .mounter_rules = {}};
  map_owners(maps, options);
  // The overlay is mounted in the container's user namespace: its root rules over what is mapped there.
  options.mounter_rules = [&maps](uid_t uid, gid_t gid) {
    return is_mapped_in(maps.uids, uid) && is_mapped_in(maps.gids, gid);
  };
  options.threads = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
  with_context("cloning the image", [&] {
    const storage::CloneSummary made = storage::clone_layers(lowers, target.get(), options);
    if (made.copied > 0) sync_content(engine);
  });
  return staging;
}

// Whole or not at all. Somebody else may have made the same meanwhile: theirs is as good.
void publish(const std::string& tree, const std::string& destination) {
  if (::rename(tree.c_str(), destination.c_str()) < 0 && errno != EEXIST && errno != ENOTEMPTY) {
    throw_errno("publishing ", destination);
  }
}

// One directory for each image and map, below the store's. FNV-1a: nobody gains from a collision of two maps
// of their own.
std::string mapped_image_path(const ContainerConfig& config, const rootless::IdMaps& maps) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : rootless::render_id_map(maps.uids) + "/" + rootless::render_id_map(maps.gids)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return concat("maps/", config.image_id, "@", hash);
}

// The upper directory becomes the root directory of the container: it must be root's there.
void give_to_container_root(const storage::RootfsPlan& plan, const rootless::IdMaps& maps) {
  const uid_t uid = owner_for(maps.uids, 0, "uid");
  const gid_t gid = owner_for(maps.gids, 0, "gid");
  for (const std::string& directory : {plan.upper, plan.work}) {
    if (::chown(directory.c_str(), uid, gid) < 0)
      throw_errno("giving ", directory, " to the container's root");
  }
}

bool exists(const std::string& path) {
  return sys::stat_at(AT_FDCWD, path).has_value();
}

// Several containers may want it first: one makes it, the others wait.
void make_mapped_image(const Engine& engine, const ContainerConfig& config, const rootless::IdMaps& maps,
                       const std::vector<std::string>& lowers, bool is_clone) {
  const storage::Store& store = engine.store();
  const std::string mapped = mapped_image_path(config, maps);
  const std::string name = is_clone ? "/clone" : "/diff";
  // The directory around the tree is the user's: only an owner may move a directory away.
  sys::make_directory(store.fd(), "maps", 0700);
  sys::make_directory(store.fd(), mapped, 0700);
  const auto lock = sys::Lock::acquire(store.fd(), mapped, sys::Lock::Mode::exclusive);
  if (exists(store.path(mapped + name))) return;
  if (!is_clone)
    engine.warn("copying the image for another id map; the next container with this map shares the copy");
  run_in_r(engine, [&] {
    ::umask(0);
    const auto staging = is_clone ? clone_layers(engine, lowers, maps) : flatten_layers(engine, lowers, maps);
    if (!is_clone) sync_content(engine);
    publish(store.path(staging.path + name), store.path(mapped + name));
  });
}

constexpr const char* fetch_again = "fetch the image again: knarr pull or knarr load";

// Reads layers the machine may have stopped in the middle of. That needs digests, which knarr-store has; once
// a layer was found whole nobody asks again.
void verify_layers(const Engine& engine, const std::vector<std::string>& diff_ids) {
  std::vector<std::string> argv = {helper_path("knarr-store"), "--root",
                                   engine.store().root(),      "--runroot",
                                   engine.paths().run_root,    "__verify-layers"};
  argv.insert(argv.end(), diff_ids.begin(), diff_ids.end());
  const sys::CommandResult result = sys::run_command(argv, sys::own_environment());
  if (result.status.code == 0) return;
  constexpr std::string_view mark = "Error: ";
  const std::size_t start = result.errors.rfind(mark);
  Error error(start == std::string::npos ? "its layers could not be verified: " + result.errors
                                         : result.errors.substr(start + mark.size()));
  error.set_hint(fetch_again);
  throw error;
}

// A record does not hold its names: only an error is worth looking for one.
std::string name_of(const Engine& engine, const storage::Image& record) {
  const auto image = engine.images().find_image(record.id);
  return image && !image->names.empty() ? image->names.front() : record.id;
}

void require_layers(const Engine& engine, const storage::Image& image) {
  const storage::LayerStore layers(engine.store());
  std::vector<std::string> suspects;
  for (const storage::Digest& layer : image.layers) {
    const std::optional<storage::LayerMeta> meta = layers.find_layer(layer);
    if (!meta) {
      NotFound error(concat("its layer ", render(layer), " is not in the store"));
      error.set_hint(fetch_again);
      throw error;
    }
    if (storage::is_suspect(*meta)) suspects.push_back(render(layer));
  }
  if (!suspects.empty()) verify_layers(engine, suspects);
}

}  // namespace

std::vector<std::string> image_trees(const Engine& engine, const std::string& image_id,
                                     const std::string& store) {
  const auto image = find_record_in(engine, image_id, store);
  if (!image) throw NotFound(concat(image_id, ": image not known"));
  try {
    // Those of others were looked at when the view was made.
    if (image->store.empty()) require_layers(engine, *image);
  } catch (Error& error) {
    error.add_context("image " + name_of(engine, *image));
    throw;
  }
  return layer_trees(engine, *image);
}

storage::RootfsPlan plan_rootfs(const Engine& engine, const ContainerConfig& config) {
  storage::RootfsPlan plan;
  if (!config.rootfs.empty()) {
    plan.directory = config.rootfs;
    return plan;
  }
  const storage::OverlayFacts overlay = engine.overlay();
  const std::string directory = engine.containers().path(config.id);
  plan.driver = overlay.driver;
  plan.userxattr = overlay.userxattr;
  plan.fuse_program = overlay.fuse_program;
  plan.is_volatile = config.auto_remove;
  plan.lowers = image_trees(engine, config.image_id, config.image_store);
  plan.upper = directory + "/upper";
  plan.work = directory + "/work";
  if (overlay.driver == storage::OverlayDriver::vfs) plan.directory = directory + "/rootfs";
  return plan;
}

bool uses_mount_points(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& plan) {
  constexpr std::size_t max_lowers = 500;  // of the kernel's overlay
  if (plan.driver != storage::OverlayDriver::kernel || plan.lowers.size() >= max_lowers) return false;
  // Its owner would show where ids are mapped otherwise, and an empty /etc/hosts where there is to be none.
  const std::set<std::string> places = engine_places(config);
  return plan_foreign_maps(config, engine.host()).uids.empty() &&
         std::all_of(storage::mount_point_files.begin(), storage::mount_point_files.end(),
                     [&](const char* file) { return places.contains(file); });
}

void prepare_rootfs(const Engine& engine, const ContainerConfig& config, storage::RootfsPlan& plan) {
  if (!config.rootfs.empty()) return;
  const rootless::IdMaps maps = plan_foreign_maps(config, engine.host());
  if (plan.driver == storage::OverlayDriver::vfs) {
    if (exists(plan.directory)) return;
    return run_in_r(engine, [&] {
      const auto staging = flatten_layers(engine, plan.lowers, maps);
      publish(engine.store().path(staging.path + "/diff"), plan.directory);
    });
  }
  if (maps.uids.empty()) {
    if (!uses_mount_points(engine, config, plan)) return;
    storage::make_mount_points(engine.store());
    plan.lowers.push_back(storage::mount_points_path(engine.store()));
    return;
  }
  const std::string mapped = engine.store().path(mapped_image_path(config, maps));
  // A copy may be there from the time of an older kernel.
  const bool is_clone = plan.driver == storage::OverlayDriver::kernel && engine.overlay().data_layers &&
                        !exists(mapped + "/diff");
  const std::string tree = mapped + (is_clone ? "/clone" : "/diff");
  if (!exists(tree)) make_mapped_image(engine, config, maps, plan.lowers, is_clone);
  run_in_r(engine, [&] { give_to_container_root(plan, maps); });
  if (is_clone) plan.data_lowers = std::move(plan.lowers);
  plan.lowers = {tree};
}

}  // namespace knarr::engine
