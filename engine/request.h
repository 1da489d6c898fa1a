// SPDX-License-Identifier: Apache-2.0
// What a user can say to `run` and `create`, in the user's own words, and the pure step from there to a
// container's configuration. The command line splits argv into these fields; what the words mean is decided
// here, once, for every front end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/container.h"
#include "rootless/host.h"
#include "storage/image/image.h"

namespace knarr::engine {

struct TextFile {  // read by the caller: planning touches no files
  std::string path, content;
};

struct VolumesFrom {
  std::string text;                  // CONTAINER[:ro|rw|z|Z,...]
  std::vector<MountRequest> mounts;  // of that container, filled in by the caller
};

// A vector holds every use of its flag, in order. An empty string or vector: not given; optional where an
// empty value means something else than none.
struct CreateRequest {
  // The positional arguments.
  std::string image;                 // as typed; with rootfs empty
  std::string rootfs;                // --rootfs PATH
  std::vector<std::string> command;  // after the image
  std::vector<std::string> argv;     // the whole command line, kept for `inspect`

  // The caller's surroundings, as far as flags refer to them.
  std::vector<std::string> host_env;  // environ(7)
  std::string current_directory;      // absolute; for relative host paths

  std::string name;                       // --name
  std::optional<std::string> entrypoint;  // --entrypoint, a string or a JSON array; "" clears the image's
  std::string working_dir;                // --workdir
  std::string user;                       // --user
  std::vector<std::string> group_add;     // --group-add
  std::string hostname;                   // --hostname
  bool terminal = false;                  // --tty
  bool interactive = false;               // --interactive
  bool init = false;                      // --init
  bool auto_remove = false;               // --rm
  bool auto_remove_image = false;         // --rmi
  std::string platform_os;                // --os, and of --platform: must match the image
  std::string platform_architecture;      // --arch
  std::string platform_variant;           // --variant

  // Environment.
  std::vector<std::string> env;  // --env NAME=VALUE, NAME, PREFIX*
  std::vector<TextFile> env_files;
  std::vector<std::string> env_merge;  // --env-merge NAME=...${NAME}...
  std::vector<std::string> unset_env;
  bool unset_env_all = false;
  bool env_host = false;
  bool http_proxy = true;  // --http-proxy

  // Labels and annotations.
  std::vector<std::string> labels;  // NAME[=VALUE]
  std::vector<TextFile> label_files;
  std::vector<std::string> annotations;  // NAME=VALUE

  // Files.
  std::vector<std::string> volumes;  // --volume
  std::vector<std::string> mounts;   // --mount
  std::vector<std::string> tmpfs;    // --tmpfs
  std::vector<VolumesFrom> volumes_from;
  std::string image_volume;          // --image-volume bind|anonymous|tmpfs|ignore
  std::vector<std::string> devices;  // --device
  bool read_only = false;
  bool read_only_tmpfs = true;
  std::string shm_size;  // --shm-size, in bytes or with a unit b, k, m, g
  std::string timezone;  // --tz

  // Security.
  bool privileged = false;
  std::vector<std::string> cap_add, cap_drop;
  std::vector<std::string> security_options;  // --security-opt
  std::vector<std::string> sysctls;           // NAME=VALUE
  std::vector<std::string> ulimits;           // NAME=SOFT[:HARD], "host"
  std::string umask;                          // octal
  std::string oom_score_adj;

  // Namespaces.
  std::string user_namespace;  // --userns
  std::string pid, ipc, uts, cgroup;

  // Networks.
  std::vector<std::string> networks;  // --network, each use
  std::vector<std::string> network_aliases;
  std::string ip, ip6, mac_address;  // of the only network
  std::vector<std::string> publish;  // --publish
  std::vector<std::string> expose;   // --expose
  bool publish_all = false;

  // Names and addresses.
  std::vector<std::string> add_hosts;  // NAME[;NAME]:IP
  std::vector<std::string> dns_servers, dns_search, dns_options;
  std::string hosts_file;  // --hosts-file
  bool no_hosts = false;
  bool no_hostname = false;
  std::optional<bool> edit_passwd;  // --passwd
  std::string passwd_entry, group_entry;

  // Life.
  std::string stop_signal;   // a name or a number
  std::string stop_timeout;  // seconds, -1: wait for ever
  std::string timeout;       // --timeout, seconds
  std::string log_driver;
  std::vector<std::string> log_options;
  std::string cid_file, pid_file, monitor_pid_file;
  unsigned preserve_fds = 0;
};

// Merges what the image says with what the user says. Throws InvalidArgument, naming flag and value, for what
// cannot be understood or contradicts itself, Unsupported for what is understood and cannot be done.
// `created`: RFC 3339 with nanoseconds. Modes "container:NAME" keep the name as given: see
// resolve_container_modes(), and so do networks: see resolve_networks(). Anonymous volumes are named after
// `id`.
ContainerConfig plan_config(const CreateRequest& request, const std::optional<storage::Image>& image,
                            const rootless::HostFacts& host, const std::string& created,
                            const std::string& id, const std::string& name);

// Puts resolve(NAME) in the place of NAME in each mode container:NAME: the container's full id.
void resolve_container_modes(NamespaceModes& modes,
                             const std::function<std::string(const std::string& name)>& resolve);

}  // namespace knarr::engine
