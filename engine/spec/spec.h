// SPDX-License-Identifier: Apache-2.0
// The OCI runtime spec's configuration (runtime-spec config.md, config-linux.md) as far as the engine uses
// it. Pure data with the spec's names; built from a ContainerConfig, an image and host facts, without the
// kernel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/record.h"
#include "rootless/capability.h"
#include "rootless/host.h"
#include "storage/overlay/driver.h"

namespace knarr::engine {

struct SpecMount {
  std::string destination, type, source;
  // mount(8) words: "ro", "nosuid", "rbind", "rprivate", "size=64m"; "optional": without it the container
  // starts too. "lowerdir+=" comes once a layer, topmost first (type overlay).
  std::vector<std::string> options;
  // Below `source`, which its user may not have the making of: looked up without leaving the source
  // (prepare_mounts), and what was found there is what gets bound.
  std::string subpath;
  std::uint64_t source_device = 0, source_inode = 0;  // 0: whatever is there
  bool operator==(const SpecMount&) const = default;
};

struct SpecFile {  // made in the container after the mounts
  std::string path, content;
  std::uint32_t mode = 0644;
};

// A line that /etc/passwd or /etc/group gets when nobody there has the id.
struct SpecAccount {
  std::string path, line;
  std::uint32_t id = 0;
  bool is_group = false;
};

struct SpecNamespace {
  std::string type;        // "user", "mount", "pid", "ipc", "uts", "cgroup", "network", "time"
  std::string path;        // join this file
  sys::ProcessId process;  // or this process's; neither: a new one
};

struct SpecRlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0, hard = 0;
};

struct SpecDevice {
  std::string path;       // in the container
  std::string host_path;  // bound from there when nodes cannot be made
  char type = 'c';
  unsigned major = 0, minor = 0;
  std::uint32_t mode = 0666;
  bool operator==(const SpecDevice&) const = default;
};

struct SpecCapabilities {
  rootless::CapabilitySet bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
};

struct Spec {
  struct Process {
    bool terminal = false;
    std::string user;  // unresolved: init looks it up in the container
    std::vector<std::string> additional_groups;
    std::uint32_t umask = 0022;
    std::vector<std::string> args, env;
    std::string cwd = "/";
    SpecCapabilities capabilities_root, capabilities_user;
    std::vector<SpecRlimit> rlimits;
    bool no_new_privileges = false;
    std::optional<int> oom_score_adj;
    bool make_cwd = false;
    bool reaper = false;  // --init
    unsigned preserve_fds = 0;
  } process;
  storage::RootfsPlan root;
  bool root_read_only = false;
  // The image's own device nodes open nothing. Matters where root makes real ones: a container's devices are
  // those in its /dev, not those that somebody put into a layer.
  bool root_no_devices = false;
  std::string rootfs_propagation;
  std::string hostname, domainname;
  std::vector<SpecMount> mounts;  // parents before children
  std::vector<SpecFile> files;
  std::vector<SpecAccount> accounts;
  // Of the host, made anew and empty before the start: uppers and work directories of overlay mounts.
  std::vector<std::string> scratch_directories;
  std::vector<SpecDevice> devices;
  bool device_links = true;  // /dev/fd, /dev/stdin, ...: not where the user brings a /dev
  std::vector<std::string> masked_paths, readonly_paths;
  std::map<std::string, std::string> sysctl;          // by path below /proc/sys: "net/ipv4/ip_forward"
  std::map<std::string, std::string> default_sysctl;  // the same, but a failure is no reason not to start
  std::vector<SpecNamespace> namespaces;
  rootless::IdMap uid_mappings, gid_mappings;  // of a new user namespace, inside → R
  std::string seccomp;                         // "default", "unconfined", or a profile's path
  std::map<std::string, std::string> annotations;
};

// What this machine and the caller give to every container.
struct SpecFacts {
  std::string hostname;  // of the host
  // Hard limits (getrlimit(2)); RLIM_INFINITY is UINT64_MAX.
  std::uint64_t max_open_files = 1048576;
  std::uint64_t max_processes = 1048576;
  int oom_score_adj = 0;                         // of the caller
  rootless::CapabilitySet bounding = ~0ull;      // of the caller, where it limits the container (rootful)
  std::vector<SpecDevice> devices;               // behind --device, and all usable ones with --privileged
  std::vector<std::string> thermal_directories;  // /sys/devices/system/cpu/cpu*/thermal_throttle
};
// Asks the kernel, as little as `config` makes necessary. Throws NotFound for a --device that does not exist,
// InvalidArgument for one that is no device.
SpecFacts gather_spec_facts(const ContainerConfig& config, const rootless::HostFacts& host);

// What build_spec needs to know of the world besides the request.
struct SpecInput {
  const ContainerConfig& config;
  const rootless::HostFacts& host;
  storage::RootfsPlan root;
  std::string run_directory;                   // of this container: where hosts, hostname, resolv.conf lie
  std::string volumes_directory;               // store/volumes
  std::map<std::string, LivePids> containers;  // those named by container:ID modes, by full id
  std::string container_directory;             // store/containers/<id>: scratch space for overlay mounts
  // For mounts of type image: the trees of the named image's layers, topmost first.
  std::map<std::string, std::vector<std::string>> image_layers;
  SpecFacts facts;
};

// The id maps of a container whose ids are not those of R (--userns=keep-id, ...); empty for all others.
// Pure.
rootless::IdMaps plan_foreign_maps(const ContainerConfig& config, const rootless::HostFacts& host);

// Pure. Throws InvalidArgument or Unsupported for what only shows now.
Spec build_spec(const SpecInput& input);

// Readies the host's side of the mounts: checks that every source exists (NotFound names the volume's two
// ends), pins what lies at subpaths, and makes the scratch directories.
void prepare_mounts(const storage::Store& store, Spec& spec);

}  // namespace knarr::engine
