// SPDX-License-Identifier: Apache-2.0
#include "engine/volumes.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <set>

#include "engine/container_owner.h"
#include "engine/in_r.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/in_root.h"
#include "storage/overlay/mount.h"
#include "storage/tree_owner.h"
#include "storage/volume/copy_up.h"
#include "storage/volume/volume_mount.h"

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
    if (!volume || !volume->needs_copy_up) continue;
    const storage::VolumeMount backing = storage::parse_volume_options(*volume);
    // A tmpfs is new each time, and filled when it is mounted.
    if (backing.kind != storage::VolumeMount::Kind::tmpfs)
      pending.push_back({volume->name, mount.destination, backing.source});
  }
  return pending;
}

// In a child in R: the mount namespace ends with it, and with that its mount.
void copy_up(const storage::RootfsPlan& root, const std::vector<CopyUp>& pending) {
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace to fill volumes");
  const sys::UniqueFd tree = storage::mount_detached(root);
  for (const CopyUp& volume : pending) {
    with_context(concat("filling volume ", volume.volume, " from ", volume.destination),
                 [&] { storage::copy_up(tree.get(), volume.destination, volume.target); });
  }
}

// ---- :U ----

// What would make the machine unusable; the same places as podman's.
bool is_forbidden(const std::string& path) {
  static const std::set<std::string> forbidden = {
      "/",     "/bin", "/boot",  "/dev",   "/etc", "/etc/passwd", "/etc/pki", "/etc/shadow",
      "/home", "/lib", "/lib64", "/media", "/opt", "/proc",       "/root",    "/run",
      "/sbin", "/srv", "/sys",   "/tmp",   "/usr", "/var",        "/var/lib", "/var/log"};
  return forbidden.contains(path);
}

sys::UniqueFd open_source(const Engine& engine, const MountRequest& mount) {
  const bool is_volume = mount.type == MountRequest::Type::volume;
  const std::string source = is_volume ? engine.volumes().get_volume(mount.source).mountpoint : mount.source;
  sys::UniqueFd top = sys::open_at(AT_FDCWD, source, O_PATH);
  return mount.subpath.empty() ? std::move(top) : sys::open_in_root(top.get(), mount.subpath, O_PATH);
}

void give_source(const Engine& engine, const MountRequest& mount, const Owner& owner) {
  const sys::UniqueFd source = open_source(engine, mount);
  const auto path = sys::read_link(AT_FDCWD, concat("/proc/self/fd/", source.get()));
  if (!path || is_forbidden(*path)) {
    throw InvalidArgument(
        concat("changing the owner of the host's \"", path.value_or(mount.source), "\" (U) is not allowed"));
  }
  storage::give_tree(source.get(), owner.uid, owner.gid);
}

// ---- volumes with options ----

bool is_used_by_another(const Engine& engine, const std::string& volume, const std::string& own_id) {
  for (const std::string& id : sys::list_directory(AT_FDCWD, engine.paths().run_root + "/containers")) {
    if (id == own_id || !engine.is_running(id)) continue;
    for (const MountRequest& mount : engine.load_config(id).mounts) {
      if (mount.type == MountRequest::Type::volume && mount.source == volume) return true;
    }
  }
  return false;
}

// What the volume says holds unless the container says otherwise.
void apply_volume_words(MountRequest& mount, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "ro") {
      mount.read_only = true;
    } else if (word == "noexec") {
      mount.no_exec = true;
    } else if (word == "nosuid") {
      mount.no_suid = true;
    } else if (word == "nodev") {
      mount.no_dev = true;
    } else if (word == "exec" || word == "suid" || word == "dev") {
      const bool forbidden = word == "exec" ? mount.no_exec : word == "suid" ? mount.no_suid : mount.no_dev;
      (word == "exec" ? mount.exec : word == "suid" ? mount.suid : mount.dev) = !forbidden;
    } else if (word != "rw") {
      mount.options.push_back(word);
    }
  }
}

void resolve_volume(const Engine& engine, MountRequest& mount) {
  const auto volume = engine.volumes().find_volume(mount.source);
  if (!volume || volume->options.empty()) return;
  const storage::VolumeMount backing = storage::parse_volume_options(*volume);
  if (backing.kind == storage::VolumeMount::Kind::directory) return;
  if (backing.kind == storage::VolumeMount::Kind::tmpfs) {
    if (!mount.subpath.empty() || mount.overlay || mount.chown) {
      throw Unsupported(concat("mounting volume ", volume->name, " at ", mount.destination,
                               ": a volume of type tmpfs has no subpath, O or U"));
    }
    mount.type = MountRequest::Type::tmpfs;
    mount.exec = !mount.no_exec;  // as every other volume
  } else {
    mount.type = MountRequest::Type::bind;
    mount.source = backing.source;
    mount.non_recursive = mount.non_recursive || !backing.recursive;
    // A volume does not get rights that a directory of the engine's would not have.
    mount.no_suid = mount.no_suid || !mount.suid;
    mount.no_dev = mount.no_dev || !mount.dev;
  }
  apply_volume_words(mount, backing.words);
}

}  // namespace

ContainerConfig resolve_volumes(const Engine& engine, ContainerConfig config) {
  for (MountRequest& mount : config.mounts) {
    if (mount.type == MountRequest::Type::volume) resolve_volume(engine, mount);
  }
  return config;
}

void require_own_tmpfs(const Engine& engine, const ContainerConfig& config) {
  for (const MountRequest& mount : config.mounts) {
    const auto volume =
        mount.type == MountRequest::Type::volume ? engine.volumes().find_volume(mount.source) : std::nullopt;
    if (!volume || volume->options.empty()) continue;
    if (storage::parse_volume_options(*volume).kind != storage::VolumeMount::Kind::tmpfs) continue;
    if (is_used_by_another(engine, volume->name, config.id))
      throw Conflict(concat("volume ", volume->name,
                            " is a tmpfs that another running container uses: sharing it is not supported"));
  }
}

void give_volumes(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& root) {
  std::vector<MountRequest> given;
  for (const MountRequest& mount : config.mounts) {
    if (mount.chown) given.push_back(mount);
  }
  if (given.empty()) return;
  run_in_r(engine, [&] {
    if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace to look up a user");
    const sys::UniqueFd tree = storage::mount_detached(root);
    const Owner owner = container_owner(engine, config, tree.get());
    for (const MountRequest& mount : given) {
      with_context(concat("giving ", mount.source, " to the container's user"),
                   [&] { give_source(engine, mount, owner); });
    }
  });
}

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
  run_in_r(engine, [&] { copy_up(root, pending); });
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
    if (engine.volumes().has_volume(name)) engine.volumes().remove_volume(name);
  }
}

}  // namespace knarr::engine
