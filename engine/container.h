// SPDX-License-Identifier: Apache-2.0
// A container: what its user asked for (kept as config.json) and what is known of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/network/network.h"
#include "engine/network/port_mapping.h"
#include "rootless/id_map.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

// One --volume, --mount or --tmpfs.
struct MountRequest {
  enum class Type { bind, volume, tmpfs, devpts, mqueue, image, ramfs };
  Type type = Type::volume;
  std::string source;       // host path, volume name, image
  bool anonymous = false;   // volume: named by the engine, lives and dies with its container
  std::string destination;  // absolute container path
  bool read_only = false;
  bool no_exec = false, no_suid = false, no_dev = false;  // extra restrictions
  bool exec = false, suid = false, dev = false;           // explicit permissions
  std::string propagation;     // "rprivate", "rslave", "rshared", ... ; empty: rprivate
  bool non_recursive = false;  // bind, not rbind
  bool copy_up = true;         // volume, tmpfs: fill an empty one from the image
  bool chown = false;          // :U
  bool overlay = false;        // :O
  std::string upper, work;     // of the overlay: directories of the user's, which keep the changes
  bool create_host_path = false;
  bool relabel = false;  // :z, :Z; accepted without effect where there is no SELinux
  std::string subpath;
  std::vector<std::string> options;  // tmpfs: size=, mode=, ...; in the user's order
  bool operator==(const MountRequest&) const = default;
};

struct DeviceRequest {
  std::string source, destination, permissions = "rwm";
  bool operator==(const DeviceRequest&) const = default;
};

struct UlimitRequest {
  std::string name;                 // "nofile"; "host": all limits stay those of the caller
  std::int64_t soft = 0, hard = 0;  // -1: unlimited
  bool operator==(const UlimitRequest&) const = default;
};

struct LogConfig {
  std::string driver = "k8s-file";  // k8s-file, json-file, none
  std::string path;                 // empty: containers/<id>/ctr.log
  std::uint64_t max_size = 0;
  std::uint32_t max_files = 1;
  std::string tag;
  bool operator==(const LogConfig&) const = default;
};

// Namespace modes as given: "private", "host", "none", "container:ID" (ID resolved to the full id),
// "ns:PATH"; user also "keep-id[:uid=,gid=,size=]", "nomap", "auto[:...]", network "bridge" for a namespace
// with the interfaces of ContainerConfig::networks ("private" has none: records of older versions).
struct NamespaceModes {
  std::string user = "host";  // podman's word: the user's own map, that of R
  std::string pid = "private";
  std::string ipc = "private";
  std::string uts = "private";
  std::string cgroup = "private";
  std::string network = "none";
  std::string time = "host";
  bool operator==(const NamespaceModes&) const = default;
};

// All that is needed to start the container again. Image defaults are merged in already: `command` is the
// final argv, `env` the final environment.
struct ContainerConfig {
  std::string id;
  std::string name;
  std::string created;   // RFC 3339 with nanoseconds
  std::string image_id;  // empty with --rootfs
  std::string image_name;
  std::string image_store;                  // of an image that is not in our own store: the directory of its
  std::string rootfs;                       // --rootfs
  std::vector<std::string> create_command;  // the argv it was created by

  std::vector<std::string> entrypoint;
  std::vector<std::string> command;  // after the entrypoint
  std::vector<std::string> env;
  std::string working_dir = "/";
  bool make_working_dir = false;  // the image's own WORKDIR is made when it is missing
  std::string user;
  std::vector<std::string> groups;
  std::string hostname;  // empty: the short id
  bool terminal = false;
  bool interactive = false;
  bool init = false;
  bool privileged = false;
  bool read_only = false;
  bool read_only_tmpfs = true;
  bool auto_remove = false;
  bool transient = false;  // made by `run --rm`: worthless when neither its command nor its monitor lives
  bool auto_remove_image = false;

  std::vector<std::string> cap_add, cap_drop;
  std::vector<std::string> security_options;
  std::vector<DeviceRequest> devices;
  std::vector<MountRequest> mounts;  // volumes already named; sorted as given
  std::vector<UlimitRequest> ulimits;
  std::map<std::string, std::string> sysctls;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  NamespaceModes namespaces;
  rootless::IdMap uid_map, gid_map;  // --userns=auto: the ids it was given for as long as it exists
  std::vector<NetworkAttachment> networks;
  std::vector<PortMapping> ports;
  std::vector<ExposedPorts> exposed;   // the image's, too
  bool publish_all = false;            // they are among the ports already
  std::vector<std::string> add_hosts;  // "name:ip"
  std::vector<std::string> dns_servers, dns_search, dns_options;
  std::string hosts_file;  // --hosts-file: its lines come after ours
  bool no_hosts = false, no_hostname = false;
  std::uint64_t shm_size = 65536u * 1024;
  std::uint32_t umask = 0022;
  std::string timezone;
  std::optional<int> oom_score_adj;
  std::string passwd_entry, group_entry;
  bool edit_passwd = true;
  std::string stop_signal = "SIGTERM";
  unsigned stop_timeout = 10;  // seconds; UINT_MAX: for ever
  unsigned timeout = 0;
  LogConfig log;
  std::string cid_file, pid_file, monitor_pid_file;
  unsigned preserve_fds = 0;

  bool operator==(const ContainerConfig&) const = default;
};

// Derived, never stored: running = the monitor lives; exited = there is an exit record or a dead monitor.
enum class State { created, running, exited, removing };
std::string_view state_name(State state);

// The exit code of a container whose monitor was killed: its init died by the parent-death signal, unseen.
constexpr int killed_exit_code = 128 + 9;

struct ContainerStatus {
  State state = State::created;
  sys::ProcessId monitor;       // running
  sys::ProcessId init;          // running; init.pid as the host sees it
  std::int64_t started_ns = 0;  // wall clock, ns since the epoch; 0: never
  std::int64_t finished_ns = 0;
  int exit_code = 0;
  unsigned restarts = 0;
  bool stopped_by_user = false;
  std::string error;
};

}  // namespace knarr::engine
