// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_flags.h"

#include "cli/commands/host_files.h"
#include "cli/commands/image_source_flags.h"
#include "cli/quote.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using engine::CreateRequest;

// CONTAINER[:OPTIONS]
std::vector<engine::VolumesFrom> find_volumes_from(const engine::Engine& engine,
                                                   const std::vector<std::string>& texts) {
  std::vector<engine::VolumesFrom> sources;
  for (const std::string& text : texts) {
    const std::string id = engine.containers().get_id(text.substr(0, text.find(':')));
    sources.push_back({text, engine.load_config(id).mounts});
  }
  return sources;
}

void fill_platform(const Arguments& arguments, CreateRequest& request) {
  const storage::Platform platform = read_platform(arguments);
  request.platform_os = platform.os;
  request.platform_architecture = platform.architecture;
  request.platform_variant = platform.variant;
}

void fill_general(const Arguments& arguments, CreateRequest& request) {
  request.name = arguments.text("name");
  request.auto_remove = arguments.boolean("rm");
  request.cid_file = arguments.text("cidfile");
  request.pid_file = arguments.text("pidfile");
  request.monitor_pid_file = arguments.text("conmon-pidfile");
  request.log_driver = arguments.text("log-driver");
  request.log_options = arguments.list("log-opt");
  request.labels = arguments.list("label");
  request.label_files = read_text_files(arguments.list("label-file"));
  request.annotations = arguments.list("annotation");
}

void fill_process(const Arguments& arguments, CreateRequest& request) {
  request.entrypoint = arguments.find_text("entrypoint");
  request.env = arguments.list("env");
  request.env_files = read_text_files(arguments.list("env-file"));
  request.env_host = arguments.boolean("env-host");
  request.env_merge = arguments.list("env-merge");
  request.unset_env = arguments.list("unsetenv");
  request.unset_env_all = arguments.boolean("unsetenv-all");
  request.http_proxy = arguments.boolean("http-proxy");
  request.group_add = arguments.list("group-add");
  request.group_entry = arguments.text("group-entry");
  request.passwd_entry = arguments.text("passwd-entry");
  request.init = arguments.boolean("init");
  request.interactive = arguments.boolean("interactive");
  request.terminal = arguments.boolean("tty");
  request.preserve_fds = static_cast<unsigned>(arguments.integer("preserve-fds"));
  request.stop_signal = arguments.text("stop-signal");
  request.stop_timeout = arguments.text("stop-timeout");
  request.timeout = arguments.text("timeout");
  request.timezone = arguments.text("tz");
  request.umask = arguments.text("umask");
  request.user = arguments.text("user");
  request.working_dir = arguments.text("workdir");
}

void fill_filesystem(const Arguments& arguments, const engine::Engine& engine, CreateRequest& request) {
  request.volumes = arguments.list("volume");
  request.mounts = arguments.list("mount");
  request.tmpfs = arguments.list("tmpfs");
  request.volumes_from = find_volumes_from(engine, arguments.list("volumes-from"));
  request.image_volume = arguments.text("image-volume");
  request.devices = arguments.list("device");
  request.read_only = arguments.boolean("read-only");
  request.read_only_tmpfs = arguments.boolean("read-only-tmpfs");
  request.shm_size = arguments.text("shm-size");
}

void fill_security(const Arguments& arguments, CreateRequest& request) {
  request.privileged = arguments.boolean("privileged");
  request.cap_add = arguments.list("cap-add");
  request.cap_drop = arguments.list("cap-drop");
  request.security_options = arguments.list("security-opt");
  request.sysctls = arguments.list("sysctl");
  request.ulimits = arguments.list("ulimit");
  request.oom_score_adj = arguments.text("oom-score-adj");
}

void fill_namespaces(const Arguments& arguments, CreateRequest& request) {
  request.user_namespace = arguments.text("userns");
  request.pid = arguments.text("pid");
  request.ipc = arguments.text("ipc");
  request.uts = arguments.text("uts");
  request.cgroup = arguments.text("cgroupns");
}

void fill_networks(const Arguments& arguments, CreateRequest& request) {
  request.networks = arguments.list("network");
  request.network_aliases = arguments.list("network-alias");
  request.ip = arguments.text("ip");
  request.ip6 = arguments.text("ip6");
  request.mac_address = arguments.text("mac-address");
  request.publish = arguments.list("publish");
  request.publish_all = arguments.boolean("publish-all");
  request.expose = arguments.list("expose");
}

void fill_names(const Arguments& arguments, CreateRequest& request) {
  request.hostname = arguments.text("hostname");
  request.add_hosts = arguments.list("add-host");
  request.dns_servers = arguments.list("dns");
  request.dns_search = arguments.list("dns-search");
  request.dns_options = arguments.list("dns-option");
  request.hosts_file = arguments.text("hosts-file");
  request.no_hosts = arguments.boolean("no-hosts");
  request.no_hostname = arguments.boolean("no-hostname");
}

void fill_positional(const Arguments& arguments, const std::string& image, CreateRequest& request) {
  const auto& words = arguments.positional();
  (arguments.boolean("rootfs") ? request.rootfs : request.image) = image;
  request.command.assign(words.begin() + 1, words.end());
}

}  // namespace

engine::CreateOptions make_create_options(const Invocation& invocation, const Arguments& arguments,
                                          const engine::Engine& engine, const std::string& image) {
  engine::CreateOptions options;
  CreateRequest& request = options.request;
  request.argv = invocation.argv;
  request.host_env = host_environment();
  request.current_directory = current_directory();
  fill_positional(arguments, image, request);
  fill_general(arguments, request);
  fill_process(arguments, request);
  fill_platform(arguments, request);
  fill_filesystem(arguments, engine, request);
  fill_security(arguments, request);
  fill_namespaces(arguments, request);
  fill_networks(arguments, request);
  fill_names(arguments, request);
  options.replace = arguments.boolean("replace");
  return options;
}

}  // namespace knarr::cli
