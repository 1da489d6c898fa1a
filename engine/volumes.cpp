// SPDX-License-Identifier: Apache-2.0
#include "engine/volumes.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <set>

#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"
#include "storage/overlay/mount.h"
#include "storage/volume/copy_up.h"

namespace knarr::engine {

namespace {

struct CopyUp {
  std::string volume, destination, target;
};

std::vector<CopyUp> pending_copy_ups(const Engine& engine, const ContainerConfig& config) {
  std::vector<CopyUp> pending;
  for (const MountRequest& mount : config.mounts) {
    if (mount.type != MountRequest::Type::volume || !mount.copy_up || !mount.subpath.empty()) continue;
    const auto volume = engine.volumes().find_volume(mount.source);
    if (volume && volume->needs_copy_up)
      pending.push_back({volume->name, mount.destination, volume->mountpoint});
  }
  return pending;
}

// In a child of its own: the namespaces it enters end with it, and with them its mount.
int copy_up(const Engine& engine, const storage::RootfsPlan& root, const std::vector<CopyUp>& pending) {
  rootless::enter_r(engine.host(), engine.r_candidates());
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace to fill volumes");
  const sys::UniqueFd tree = storage::mount_detached(root);
  for (const CopyUp& volume : pending) {
    with_context(concat("filling volume ", volume.volume, " from ", volume.destination),
                 [&] { storage::copy_up(tree.get(), volume.destination, volume.target); });
  }
  return 0;
}

}  // namespace

void ensure_volumes(const Engine& engine, const ContainerConfig& config) {
  for (const MountRequest& mount : config.mounts) {
    if (mount.type != MountRequest::Type::volume) continue;
    engine.volumes().ensure_volume({.name = mount.source,
                                    .created = render_rfc3339_nano(wall_clock_ns(), TimeZone::utc),
                                    .anonymous = mount.anonymous});
  }
}

void prepare_volumes(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& root) {
  if (pending_copy_ups(engine, config).empty()) return;
  // Two containers that start at once must not both fill a volume: who comes second finds it filled. In the
  // order of their names, as all who lock several do.
  std::set<std::string> names;
  for (const CopyUp& volume : pending_copy_ups(engine, config)) names.insert(volume.volume);
  std::vector<sys::Lock> locks;
  for (const std::string& name : names) locks.push_back(engine.volumes().lock_volume(name));

  const std::vector<CopyUp> pending = pending_copy_ups(engine, config);
  const pid_t child = sys::fork_child([&] { return copy_up(engine, root, pending); });
  if (sys::wait_child(child).code != 0)
    throw Error("the volumes of the container could not be filled from its image");
  for (const CopyUp& volume : pending) engine.volumes().mark_copied_up(volume.volume);
}

std::vector<std::string> anonymous_volumes(const ContainerConfig& config) {
  std::vector<std::string> names;
  for (const MountRequest& mount : config.mounts) {
    if (mount.type == MountRequest::Type::volume && mount.anonymous) names.push_back(mount.source);
  }
  return names;
}

void remove_anonymous_volumes(const Engine& engine, const ContainerConfig& config) {
  for (const std::string& name : anonymous_volumes(config)) {
    if (engine.volumes().find_volume(name)) engine.volumes().remove_volume(name);
  }
}

}  // namespace knarr::engine
