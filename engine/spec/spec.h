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
  std::vector<std::string>
      options;  // mount(8) words: "ro", "nosuid", "rbind", "rprivate", "size=64m", "optional"
  bool operator==(const SpecMount&) const = default;
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
  } process;
  storage::RootfsPlan root;
  bool root_read_only = false;
  std::string rootfs_propagation;
  std::string hostname, domainname;
  std::vector<SpecMount> mounts;  // parents before children
  std::vector<SpecDevice> devices;
  std::vector<std::string> masked_paths, readonly_paths;
  std::map<std::string, std::string> sysctl;
  std::vector<SpecNamespace> namespaces;
  rootless::IdMap uid_mappings, gid_mappings;  // of a new user namespace, inside → R
  std::string seccomp;                         // "default", "unconfined", or a profile's path
  std::map<std::string, std::string> annotations;
};

// What build_spec needs to know of the world besides the request.
struct SpecInput {
  const ContainerConfig& config;
  const rootless::HostFacts& host;
  storage::RootfsPlan root;
  std::string run_directory;                   // of this container: where hosts, hostname, resolv.conf lie
  std::string volumes_directory;               // store/volumes
  std::map<std::string, LivePids> containers;  // those named by container:ID modes, by full id
};

Spec build_spec(const SpecInput& input);

}  // namespace knarr::engine
