// SPDX-License-Identifier: Apache-2.0
#include "engine/container_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "engine/live_container.h"
#include "engine/rootfs.h"
#include "engine/volumes.h"
#include "rootless/sys/error.h"
#include "rootless/sys/in_root.h"
#include "storage/overlay/mount.h"

namespace knarr::engine {

namespace {

std::string host_source(const Engine& engine, const MountRequest& mount) {
  if (mount.type == MountRequest::Type::bind) return mount.source;
  return engine.store().path(concat("volumes/", mount.source, "/_data"));
}

void bind_onto(int root_fd, const std::string& source, const MountRequest& mount) {
  const std::string& destination = mount.destination;
  const sys::UniqueFd target = sys::find_in_root(root_fd, destination, O_PATH);
  if (!target) return;  // never started: the mount point was not made yet
  const sys::UniqueFd tree(
      ::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree) throw_errno("opening volume ", source);
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (mount.read_only &&
      ::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof(read_only)) < 0) {
    throw_errno("making ", source, " read-only");
  }
  if (::move_mount(tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
    throw_errno("mounting ", source, " at ", destination);
  }
}

sys::UniqueFd detach_resting_tree(const Engine& engine, const ContainerConfig& config) {
  storage::RootfsPlan plan = plan_rootfs(engine, config);
  prepare_rootfs(engine, config, plan);
  return storage::mount_detached(plan);
}

// Mounts can only be put on a tree that is mounted itself: on the directory every container uses, which is
// ours alone in this namespace.
sys::UniqueFd mount_resting(const Engine& engine, const ContainerConfig& config) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) throw_errno("making mounts private");
  const std::string mount_point = engine.store().path("mnt");
  const sys::UniqueFd tree = detach_resting_tree(engine, config);
  if (::move_mount(tree.get(), "", AT_FDCWD, mount_point.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
    throw_errno("mounting the container's root at ", mount_point);
  sys::UniqueFd root = sys::open_at(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY);
  for (const MountRequest& mount : resolve_volumes(engine, config).mounts) {
    const bool has_files = mount.type == MountRequest::Type::bind || mount.type == MountRequest::Type::volume;
    if (has_files && mount.subpath.empty()) bind_onto(root.get(), host_source(engine, mount), mount);
  }
  return root;
}

void enter_mounts(const sys::UniqueFd& mounts, std::string_view whose) {
  if (::setns(mounts.get(), CLONE_NEWNS) < 0) throw_errno("entering the mount namespace of ", whose);
}

// Only who is in a mount namespace may copy a mount of it; the copy can be taken anywhere.
sys::UniqueFd detach_running_tree(const sys::ProcessId& process) {
  const sys::UniqueFd ours = sys::open_at(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  const sys::UniqueFd theirs = sys::open_at(AT_FDCWD, concat("/proc/", process.pid, "/ns/mnt"), O_RDONLY);
  if (!sys::is_alive(process)) throw Conflict("it ended meanwhile");
  enter_mounts(theirs, "the container");
  sys::UniqueFd tree = storage::clone_mount("/");
  enter_mounts(ours, "this process");
  return tree;
}

}  // namespace

sys::UniqueFd open_container_root(const Engine& engine, const ContainerConfig& config) {
  const ContainerStatus status = engine.status(config.id);
  if (status.state != State::running) return mount_resting(engine, config);
  const sys::ProcessId process = joinable_process(status.init);
  sys::UniqueFd root = sys::open_at(AT_FDCWD, concat("/proc/", process.pid, "/root"), O_PATH | O_DIRECTORY);
  if (!sys::is_alive(process)) throw Conflict(concat("container ", config.name, " ended meanwhile"));
  return root;
}

sys::UniqueFd detach_container_tree(const Engine& engine, const ContainerConfig& config) {
  const ContainerStatus status = engine.status(config.id);
  if (status.state != State::running) return detach_resting_tree(engine, config);
  return detach_running_tree(joinable_process(status.init));
}

}  // namespace knarr::engine
