// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/etc_files.h"
#include "engine/request/values.h"
#include "engine/spec/parts.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using Kind = NamespaceMode::Kind;
using Type = MountRequest::Type;

SpecMount bind_mount(std::string source, std::string destination, std::vector<std::string> options) {
  return {.destination = std::move(destination),
          .type = "bind",
          .source = std::move(source),
          .options = std::move(options)};
}

// --- the mounts every container has ---

SpecMount proc_mount(const NamespacePlanning& namespaces, const SecurityOptions& security) {
  if (!namespaces.owns_pid && namespaces.pid.kind == Kind::host) {
    return bind_mount("/proc", "/proc", {"rbind", "nosuid", "noexec", "nodev"});
  }
  // Optional: in a container whose own /proc has masks a fresh one is refused, and init binds that one.
  std::vector<std::string> options = {"nosuid", "noexec", "nodev", "optional"};
  options.insert(options.end(), security.proc_options.begin(), security.proc_options.end());
  return {.destination = "/proc", .type = "proc", .source = "proc", .options = std::move(options)};
}

SpecMount sys_mount(const SpecInput& input, const NamespacePlanning& namespaces) {
  const char* access = input.config.privileged ? "rw" : "ro";
  if (namespaces.owns_network) {
    return {.destination = "/sys",
            .type = "sysfs",
            .source = "sysfs",
            .options = {"nosuid", "noexec", "nodev", access, "optional"}};
  }
  // With the mounts below, each of them read-only too.
  return bind_mount("/sys", "/sys", {"rbind", "nosuid", "noexec", "nodev", access});
}

void add_cgroup_mount(const SpecInput& input, const NamespacePlanning& namespaces,
                      std::vector<SpecMount>& mounts) {
  // The host's hierarchy is none of a rootless container's business, and the kernel would refuse it anyway.
  if (!namespaces.owns_cgroup) return;
  const bool writable = input.config.privileged;
  mounts.push_back(
      {.destination = "/sys/fs/cgroup",
       .type = "cgroup2",
       .source = "cgroup",
       .options = {"nosuid", "noexec", "nodev", "relatime", writable ? "rw" : "ro", "optional"}});
}

SpecMount devpts_mount(const NamespacePlanning& namespaces) {
  SpecMount mount{.destination = "/dev/pts",
                  .type = "devpts",
                  .source = "devpts",
                  .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}};
  if (namespaces.group_tty_mapped) mount.options.push_back("gid=5");
  return mount;
}

void add_ipc_mounts(const SpecInput& input, const NamespacePlanning& namespaces,
                    std::vector<SpecMount>& mounts) {
  if (namespaces.ipc.kind == Kind::host) {
    for (const char* path : {"/dev/shm", "/dev/mqueue"}) {
      mounts.push_back(bind_mount(path, path, {"rbind", "nosuid", "noexec", "nodev", "optional"}));
    }
    return;
  }
  if (input.config.namespaces.ipc != "none") {
    mounts.push_back(
        {.destination = "/dev/shm",
         .type = "tmpfs",
         .source = "shm",
         .options = {"nosuid", "noexec", "nodev", "mode=1777", concat("size=", input.config.shm_size)}});
  }
  SpecMount queue{.destination = "/dev/mqueue",
                  .type = "mqueue",
                  .source = "mqueue",
                  .options = {"nosuid", "noexec", "nodev"}};
  if (!namespaces.owns_ipc) queue.options.push_back("optional");
  mounts.push_back(std::move(queue));
}

std::vector<SpecMount> kernel_mounts(const SpecInput& input, const NamespacePlanning& namespaces,
                                     const SecurityOptions& security) {
  std::vector<SpecMount> mounts;
  mounts.push_back(proc_mount(namespaces, security));
  mounts.push_back({.destination = "/dev",
                    .type = "tmpfs",
                    .source = "tmpfs",
                    .options = {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}});
  mounts.push_back(sys_mount(input, namespaces));
  add_cgroup_mount(input, namespaces, mounts);
  mounts.push_back(devpts_mount(namespaces));
  add_ipc_mounts(input, namespaces, mounts);
  return mounts;
}

// --- files the engine generates ---

bool wants_resolv_conf(const ContainerConfig& config) {
  return config.dns_servers != std::vector<std::string>{"none"};
}

void add_etc_mounts(const SpecInput& input, std::vector<SpecMount>& mounts) {
  const auto add = [&](const char* name) {
    std::vector<std::string> options = {"bind", "nosuid", "nodev", "noexec"};
    // Where the user brings a whole /etc, perhaps a read-only one, there may be no place to mount on.
    if (holds_user_files(find_user_mount(input.config, "/etc"))) options.push_back("optional");
    mounts.push_back(
        bind_mount(concat(input.run_directory, "/", name), concat("/etc/", name), std::move(options)));
  };
  if (!input.config.no_hosts) add("hosts");
  if (!input.config.no_hostname) add("hostname");
  if (wants_resolv_conf(input.config)) add("resolv.conf");
}

void add_timezone_mount(const ContainerConfig& config, std::vector<SpecMount>& mounts) {
  if (config.timezone.empty()) return;
  const std::string source =
      config.timezone == "local" ? "/etc/localtime" : concat("/usr/share/zoneinfo/", config.timezone);
  mounts.push_back(bind_mount(source, "/etc/localtime", {"bind", "ro", "nosuid", "nodev", "noexec"}));
}

// --- --read-only ---

void add_read_only_tmpfs(const ContainerConfig& config, std::vector<SpecMount>& mounts) {
  if (!config.read_only || !config.read_only_tmpfs) return;
  for (const char* path : {"/run", "/tmp", "/var/tmp"}) {
    mounts.push_back({.destination = path,
                      .type = "tmpfs",
                      .source = "tmpfs",
                      .options = {"nosuid", "nodev", "tmpcopyup",
                                  path == std::string_view("/run") ? "mode=755" : "mode=1777"}});
  }
}

// Without the tmpfs nothing at all is to be written, /dev included.
void seal_devices(const ContainerConfig& config, Spec& spec) {
  if (!config.read_only || config.read_only_tmpfs) return;
  for (const char* path : {"/dev/shm", "/dev"}) {
    if (find_user_mount(config, path) == nullptr) spec.readonly_paths.push_back(path);
  }
}

// --- the user's mounts ---

// What the user left open: `restrict` says whether a mount of this type is restricted by default.
void add_access_words(const MountRequest& mount, bool restrict_exec, bool restrict_rest,
                      std::vector<std::string>& options) {
  options.push_back(mount.read_only ? "ro" : "rw");
  const auto add = [&options](bool yes, bool no, bool restricted, const char* word, const char* forbidden) {
    if (yes) options.push_back(word);
    if (no || (restricted && !yes)) options.push_back(forbidden);
  };
  add(mount.suid, mount.no_suid, restrict_rest, "suid", "nosuid");
  add(mount.dev, mount.no_dev, restrict_rest, "dev", "nodev");
  add(mount.exec, mount.no_exec, restrict_exec, "exec", "noexec");
}

class UserMountBuilder {
 public:
  UserMountBuilder(const SpecInput& input, Spec& spec) : input_(input), spec_(spec) {}

  SpecMount build(const MountRequest& mount) {
    switch (mount.type) {
      case Type::bind:
        return build_bind(mount, mount.source, false);
      case Type::volume:
        return build_bind(mount, concat(input_.volumes_directory, "/", mount.source, "/_data"), true);
      case Type::tmpfs:
      case Type::ramfs:
        return build_memory(mount);
      case Type::devpts:
        return build_devpts(mount);
      case Type::mqueue:
        return {.destination = mount.destination,
                .type = "mqueue",
                .source = "mqueue",
                .options = {"nosuid", "noexec", "nodev"}};
      case Type::image:
        return build_image(mount);
    }
    throw Error(concat("mount at ", mount.destination, ": unknown type"));
  }

 private:
  // A clone of a mount keeps the restrictions of its source, so host paths get none on top.
  SpecMount build_bind(const MountRequest& mount, const std::string& source, bool restricted) {
    if (mount.overlay) return build_overlay(mount, {source}, /*writable=*/true);
    SpecMount built = bind_mount(source, mount.destination, {mount.non_recursive ? "bind" : "rbind"});
    built.subpath = mount.subpath;
    add_access_words(mount, false, restricted, built.options);
    built.options.push_back(mount.propagation.empty() ? "rprivate" : mount.propagation);
    return built;
  }

  SpecMount build_memory(const MountRequest& mount) {
    const char* type = mount.type == Type::tmpfs ? "tmpfs" : "ramfs";
    SpecMount built{.destination = mount.destination, .type = type, .source = type, .options = {}};
    add_access_words(mount, true, true, built.options);
    for (const std::string& option : mount.options) built.options.push_back(option);
    if (mount.type == Type::tmpfs && mount.copy_up) built.options.push_back("tmpcopyup");
    if (!mount.propagation.empty()) built.options.push_back(mount.propagation);
    return built;
  }

  SpecMount build_devpts(const MountRequest& mount) {
    SpecMount built{.destination = mount.destination,
                    .type = "devpts",
                    .source = "devpts",
                    .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666"}};
    for (const std::string& option : mount.options) built.options.push_back(option);
    return built;
  }

  SpecMount build_image(const MountRequest& mount) {
    const auto layers = input_.image_layers.find(mount.source);
    if (layers == input_.image_layers.end()) throw NotFound(concat(mount.source, ": image not known"));
    if (mount.read_only && layers->second.size() == 1) {
      MountRequest tree = mount;
      return build_bind(tree, layers->second.front(), true);
    }
    if (!mount.subpath.empty()) {
      throw Unsupported(concat("mounting image ", mount.source, " at ", mount.destination,
                               ": subpath of an image is not supported"));
    }
    return build_overlay(mount, layers->second, !mount.read_only);
  }

  // Changes go to the user's directories, or to those of this start of the container and are forgotten with
  // it.
  SpecMount build_overlay(const MountRequest& mount, const std::vector<std::string>& lowers, bool writable) {
    if (input_.root.driver != storage::OverlayDriver::kernel) {
      throw Unsupported(
          concat("mounting at ", mount.destination, ": overlay mounts need the kernel's overlay"));
    }
    SpecMount built{.destination = mount.destination, .type = "overlay", .source = "overlay", .options = {}};
    for (const std::string& lower : lowers) built.options.push_back("lowerdir+=" + lower);
    if (!mount.upper.empty()) {
      built.options.push_back(concat("upperdir=", mount.upper));
      built.options.push_back(concat("workdir=", mount.work));
    } else if (writable) {
      const std::string scratch = concat(input_.container_directory, "/mounts/", next_scratch_++);
      for (const char* part : {"upper", "work"}) {
        spec_.scratch_directories.push_back(concat(scratch, "/", part));
        built.options.push_back(concat(part, "dir=", spec_.scratch_directories.back()));
      }
    }
    if (input_.root.userxattr) built.options.push_back("userxattr");
    add_access_words(mount, false, true, built.options);
    return built;
  }

  const SpecInput& input_;
  Spec& spec_;
  unsigned next_scratch_ = 0;
};

// A mount of the user's replaces the engine's at the same place; a /dev of the user's replaces all below.
void drop_superseded(const ContainerConfig& config, std::vector<SpecMount>& mounts) {
  const bool own_dev = find_user_mount(config, "/dev") != nullptr;
  std::erase_if(mounts, [&](const SpecMount& mount) {
    if (find_user_mount(config, mount.destination) != nullptr) return true;
    return own_dev && mount.destination.starts_with("/dev/");
  });
}

// Mounts of the host arrive in a container only where its root lets them.
std::string rootfs_propagation(const ContainerConfig& config) {
  const auto any = [&config](std::string_view kind) {
    return std::any_of(config.mounts.begin(), config.mounts.end(),
                       [kind](const MountRequest& mount) { return mount.propagation.ends_with(kind); });
  };
  if (any("shared")) return "rshared";
  return any("slave") ? "rslave" : "";
}

std::size_t depth(const std::string& path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

// A mark that tells a process it is in a container, and by which engine. The details are for privileged ones
// only, which can see all of it anyway.
void add_container_mark(const SpecInput& input, Spec& spec) {
  const ContainerConfig& config = input.config;
  for (const char* path : {"/run", "/run/.containerenv"}) {
    if (holds_user_files(find_user_mount(config, path))) return;
  }
  SpecFile mark{.path = "/run/.containerenv", .content = {}, .mode = 0644};
  if (config.privileged) {
    mark.content = concat("engine=\"knarr-", KNARR_VERSION, "\"\nname=\"", config.name, "\"\nid=\"",
                          config.id, "\"\nimage=\"", config.image_name, "\"\nimageid=\"", config.image_id,
                          "\"\nrootless=", input.host.rootful ? 0 : 1, "\n");
  }
  spec.files.push_back(std::move(mark));
}

}  // namespace

const MountRequest* find_user_mount(const ContainerConfig& config, std::string_view destination) {
  for (const MountRequest& mount : config.mounts) {
    if (mount.destination == destination) return &mount;
  }
  return nullptr;
}

bool holds_user_files(const MountRequest* mount) {
  return mount != nullptr && mount->type != Type::tmpfs && mount->type != Type::ramfs;
}

void sort_parents_first(std::vector<SpecMount>& mounts) {
  std::stable_sort(mounts.begin(), mounts.end(), [](const SpecMount& left, const SpecMount& right) {
    return depth(left.destination) < depth(right.destination);
  });
}

void build_mounts(const SpecInput& input, const NamespacePlanning& namespaces,
                  const SecurityOptions& security, Spec& spec) {
  const ContainerConfig& config = input.config;
  spec.mounts = kernel_mounts(input, namespaces, security);
  add_etc_mounts(input, spec.mounts);
  add_timezone_mount(config, spec.mounts);
  add_read_only_tmpfs(config, spec.mounts);
  drop_superseded(config, spec.mounts);
  UserMountBuilder builder(input, spec);
  for (const MountRequest& mount : config.mounts) spec.mounts.push_back(builder.build(mount));
  sort_parents_first(spec.mounts);
  spec.rootfs_propagation = rootfs_propagation(config);
  add_container_mark(input, spec);
  seal_devices(config, spec);
}

}  // namespace knarr::engine
