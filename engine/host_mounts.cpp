// SPDX-License-Identifier: Apache-2.0
#include "engine/host_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include "engine/container_tree.h"
#include "engine/copy_place.h"
#include "engine/images.h"
#include "engine/rootfs.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/overlay/mount.h"

namespace knarr::engine {

namespace {

std::string directory_of(const Engine& engine, MountedKind kind) {
  return concat(engine.paths().run_root,
                kind == MountedKind::container ? "/mounts/containers" : "/mounts/images");
}

// Mounts of an ordinary user's own process would be seen by nobody and end with it.
void require_mounting(const Engine& engine) {
  if (engine.host().rootful || engine.host().inside_user_namespace) return;
  Unsupported error("an ordinary user mounts trees in a namespace only");
  error.set_hint("run it in a shell of 'knarr unshare'");
  throw error;
}

// A field of mountinfo: \040 is a space.
std::string unescape(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

// proc_pid_mountinfo(5): the fifth field of each line.
std::vector<std::string> mount_points() {
  constexpr std::size_t most = 256u << 20;
  const std::string table = sys::read_file(AT_FDCWD, "/proc/self/mountinfo", most);
  std::vector<std::string> points;
  for (std::size_t line = 0; line < table.size();) {
    const std::size_t end = std::min(table.find('\n', line), table.size());
    std::size_t field = line;
    for (int skipped = 0; skipped < 4; ++skipped) field = table.find(' ', field) + 1;
    points.push_back(unescape(std::string_view(table).substr(field, table.find(' ', field) - field)));
    line = end + 1;
  }
  return points;
}

bool is_mounted(const std::string& path) {
  const std::vector<std::string> points = mount_points();
  return std::find(points.begin(), points.end(), path) != points.end();
}

void mount_at(const sys::UniqueFd& tree, const std::string& path) {
  if (::move_mount(tree.get(), "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
    throw_errno("mounting at ", path);
}

HostMount mount_tree(const Engine& engine, MountedKind kind, const std::string& id,
                     const std::function<sys::UniqueFd()>& open_tree) {
  HostMount mount{.id = id, .path = concat(directory_of(engine, kind), "/", id)};
  sys::make_directories(AT_FDCWD, mount.path, 0700);
  try {
    mount_at(is_mounted(mount.path) ? storage::clone_mount(mount.path) : open_tree(), mount.path);
  } catch (SysError& error) {
    // Root of a user namespace whose mount namespace is somebody else's.
    if (error.code() == EPERM)
      error.set_hint("mounts need a mount namespace of your own: use a shell of 'knarr unshare'");
    throw;
  }
  return mount;
}

}  // namespace

HostMount mount_container(const Engine& engine, const std::string& id) {
  require_mounting(engine);
  const ContainerConfig config = engine.load_config(id);
  return with_context(concat("container ", config.name), [&] {
    const auto lock = lock_resting(engine, {{.container_id = id, .path = {}}});
    return mount_tree(engine, MountedKind::container, id,
                      [&] { return detach_container_tree(engine, config); });
  });
}

HostMount mount_image(const Engine& engine, const storage::Image& image) {
  require_mounting(engine);
  return with_context(concat("image ", image.id), [&] {
    return mount_tree(engine, MountedKind::image, image.id, [&] {
      const storage::OverlayFacts overlay = engine.overlay();
      storage::RootfsPlan plan;
      plan.lowers = image_trees(engine, image.id, image.store);
      plan.userxattr = overlay.userxattr;
      return storage::mount_read_only(plan);
    });
  });
}

std::vector<HostMount> list_mounted(const Engine& engine, MountedKind kind) {
  const std::string directory = directory_of(engine, kind) + "/";
  std::vector<HostMount> mounts;
  for (const std::string& point : mount_points()) {
    if (!point.starts_with(directory) || point.find('/', directory.size()) != std::string::npos) continue;
    const std::string id = point.substr(directory.size());
    const auto same = [&id](const HostMount& known) { return known.id == id; };
    if (std::none_of(mounts.begin(), mounts.end(), same)) mounts.push_back({.id = id, .path = point});
  }
  return mounts;
}

void unmount(const Engine& engine, MountedKind kind, const std::string& id, bool force) {
  require_mounting(engine);
  const std::string path = concat(directory_of(engine, kind), "/", id);
  if (!is_mounted(path)) throw Conflict(concat(id, " is not mounted"));
  do {
    if (::umount2(path.c_str(), UMOUNT_NOFOLLOW | (force ? MNT_DETACH : 0)) < 0)
      throw_errno("unmounting ", path);
  } while (force && is_mounted(path));
  // Another namespace may have it mounted.
  ::rmdir(path.c_str());
}

}  // namespace knarr::engine
