// SPDX-License-Identifier: Apache-2.0
#include "engine/request.h"

#include <algorithm>
#include <climits>

#include "engine/request/command.h"
#include "engine/request/environment.h"
#include "engine/request/mounts.h"
#include "engine/request/names.h"
#include "engine/request/namespaces.h"
#include "engine/request/networks.h"
#include "engine/request/security.h"
#include "engine/request/values.h"
#include "engine/signals.h"
#include "rootless/capability.h"
#include "rootless/sys/error.h"
#include "storage/reference.h"

namespace knarr::engine {

namespace {

// The full name among the image's names that the user's word stands for.
std::string full_image_name(const std::string& text, const storage::Image& image) {
  try {
    for (const storage::Reference& candidate : storage::local_candidates(storage::parse_reference(text))) {
      const std::string name = render(storage::normalize(candidate));
      if (std::find(image.names.begin(), image.names.end(), name) != image.names.end()) return name;
    }
  } catch (const InvalidArgument&) {
    // An id with its algorithm is no reference.
  }
  return image.names.empty() ? text : image.names.front();
}

void check_platform(const CreateRequest& request, const storage::Image& image) {
  const auto differs = [](const std::string& wanted, const std::string& got) {
    return !wanted.empty() && wanted != got;
  };
  if (!differs(request.platform_os, image.os) &&
      !differs(request.platform_architecture, image.architecture) &&
      !differs(request.platform_variant, image.variant)) {
    return;
  }
  const auto join = [](const std::string& os, const std::string& architecture, const std::string& variant) {
    std::string text = concat(os, "/", architecture);
    return variant.empty() ? text : concat(text, "/", variant);
  };
  const std::string wanted =
      join(request.platform_os.empty() ? image.os : request.platform_os,
           request.platform_architecture.empty() ? image.architecture : request.platform_architecture,
           request.platform_variant);
  throw NotFound(concat("image \"", request.image, "\" is for ",
                        join(image.os, image.architecture, image.variant), ", not for ", wanted));
}

void plan_source(const CreateRequest& request, const std::optional<storage::Image>& image,
                 ContainerConfig& config) {
  if (image) {
    check_platform(request, *image);
    config.image_id = image->id;
    config.image_store = image->store;
    config.image_name = full_image_name(request.image, *image);
  } else {
    config.rootfs = absolute_host_path(request, request.rootfs);
  }
}

// "uid", "name", each with ":gid" or ":group". Names are looked up in the container; that a number fits is
// known now.
void check_user(std::string_view flag, const std::string& user) {
  if (has_control_character(user)) fail_flag(flag, user, "a control character in a user");
  const std::vector<std::string> parts = split(user, ':');
  if (parts.size() > 2) fail_flag(flag, user, "expected USER[:GROUP]");
  for (const std::string& part : parts) {
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (number && !parse_unsigned(part, UINT32_MAX - 1)) {
      fail_flag(flag, user, concat("the id ", part, " is out of range"));
    }
  }
}

std::string plan_user(const CreateRequest& request, const storage::ImageConfig& image,
                      const rootless::HostFacts& host, const std::string& user_mode) {
  if (!request.user.empty()) {
    check_user("user", request.user);
    return request.user;
  }
  if (!image.user.empty()) {
    check_user("user", image.user);
    return image.user;
  }
  const UserNamespaceMode mode = parse_user_namespace_mode(user_mode);
  if (mode.kind != UserNamespaceMode::Kind::keep_id) return {};
  return concat(mode.uid.value_or(host.uid), ":", mode.gid.value_or(host.gid));
}

void plan_groups(const CreateRequest& request, ContainerConfig& config) {
  for (const std::string& group : request.group_add) {
    if (group == "keep-groups" && request.group_add.size() > 1) {
      fail_flag("group-add", group, "keep-groups is not allowed with any other --group-add");
    }
    if (group.empty() || group.find(':') != std::string::npos) fail_flag("group-add", group, "not a group");
    check_user("group-add", group);
  }
  config.groups = request.group_add;
}

void plan_working_directory(const CreateRequest& request, const storage::ImageConfig& image,
                            ContainerConfig& config) {
  if (!request.working_dir.empty()) {
    if (request.working_dir.front() != '/') {
      fail_flag("workdir", request.working_dir, "the working directory must be an absolute path");
    }
    config.working_dir = clean_path(request.working_dir);
  } else if (!image.working_dir.empty()) {
    config.working_dir = clean_path("/" + image.working_dir);
  }
  config.make_working_dir =
      !image.working_dir.empty() && config.working_dir == clean_path("/" + image.working_dir);
}

void check_capabilities(std::string_view flag, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const bool all = name == "all" || name == "ALL";
    if (!all && !rootless::parse_capability(name)) fail_flag(flag, name, "unknown capability");
  }
}

void plan_security(const CreateRequest& request, ContainerConfig& config) {
  config.privileged = request.privileged;
  check_capabilities("cap-add", request.cap_add);
  check_capabilities("cap-drop", request.cap_drop);
  config.cap_add = request.cap_add;
  config.cap_drop = request.cap_drop;
  for (const std::string& option : request.security_options) {
    const SecurityOptions parsed = parse_security_options({option});
    const bool profile = !parsed.seccomp.empty() && parsed.seccomp != "unconfined";
    config.security_options.push_back(
        profile ? concat("seccomp=", absolute_host_path(request, parsed.seccomp)) : option);
  }
  config.sysctls = plan_sysctls(request.sysctls, config.namespaces);
}

void plan_limits(const CreateRequest& request, ContainerConfig& config) {
  for (const std::string& text : request.ulimits) config.ulimits.push_back(parse_ulimit(text));
  if (!request.shm_size.empty()) {
    const auto size = parse_bytes(request.shm_size);
    if (!size) fail_flag("shm-size", request.shm_size, "invalid size");
    config.shm_size = *size;
  }
  if (!request.umask.empty()) {
    const auto mask = parse_octal(request.umask, 0777);
    if (!mask) fail_flag("umask", request.umask, "expected an octal number up to 0777");
    config.umask = *mask;
  }
  if (!request.oom_score_adj.empty()) {
    const auto score = parse_signed(request.oom_score_adj);
    if (!score || *score < -1000 || *score > 1000) {
      fail_flag("oom-score-adj", request.oom_score_adj, "expected a number from -1000 to 1000");
    }
    config.oom_score_adj = static_cast<int>(*score);
  }
}

void check_timezone(const std::string& timezone) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
  const bool absolute = !timezone.empty() && timezone.front() == '/';
  // Without dots there is no way out of /usr/share/zoneinfo.
  if (absolute || timezone.find_first_not_of(allowed) != std::string::npos) {
    fail_flag("tz", timezone, "not a time zone: 'local' or a name like Europe/Oslo");
  }
}

unsigned parse_seconds(std::string_view flag, const std::string& text, unsigned missing) {
  if (text.empty()) return missing;
  const auto seconds = parse_unsigned(text, UINT_MAX);
  if (!seconds) fail_flag(flag, text, "expected a number of seconds");
  return static_cast<unsigned>(*seconds);
}

std::string plan_stop_signal(const CreateRequest& request, const storage::ImageConfig& image) {
  const bool own = !request.stop_signal.empty();
  const std::string& text = own ? request.stop_signal : image.stop_signal;
  if (text.empty()) return "SIGTERM";
  const auto signal = parse_signal(text);
  // An image's mistake must not keep its user from running it.
  if (!own && (!signal || *signal == 0)) return "SIGTERM";
  if (!signal || *signal == 0) fail_flag("stop-signal", text, "invalid signal");
  return signal_name(*signal);
}

void apply_log_option(const CreateRequest& request, LogConfig& log, const std::string& text) {
  const auto parts = split_once(text, '=');
  if (!parts || parts->second.empty()) fail_flag("log-opt", text, "expected NAME=VALUE");
  const auto& [name, value] = *parts;
  if (name == "path") {
    log.path = absolute_host_path(request, value);
  } else if (name == "max-size") {
    const auto size = parse_bytes(value);
    if (!size) fail_flag("log-opt", text, "invalid size");
    log.max_size = *size;
  } else if (name == "max-file") {
    const auto files = parse_unsigned(value, 1000);
    if (!files || *files == 0) fail_flag("log-opt", text, "expected a number of files from 1 to 1000");
    log.max_files = static_cast<std::uint32_t>(*files);
  } else if (name == "tag") {
    if (has_control_character(value)) fail_flag("log-opt", text, "a control character in a tag");
    log.tag = value;
  } else {
    fail_flag("log-opt", text, "unknown option: expected path, max-size, max-file or tag");
  }
}

LogConfig plan_log(const CreateRequest& request) {
  LogConfig log;
  if (!request.log_driver.empty()) log.driver = request.log_driver;
  if (log.driver != "k8s-file" && log.driver != "json-file" && log.driver != "none") {
    throw Unsupported(
        concat("--log-driver ", log.driver, ": only k8s-file, json-file and none are supported"));
  }
  for (const std::string& text : request.log_options) apply_log_option(request, log, text);
  return log;
}

std::string absolute_if_given(const CreateRequest& request, const std::string& path) {
  return path.empty() ? path : absolute_host_path(request, path);
}

void plan_life(const CreateRequest& request, const storage::ImageConfig& image, ContainerConfig& config) {
  config.stop_signal = plan_stop_signal(request, image);
  config.stop_timeout =
      request.stop_timeout == "-1" ? UINT_MAX : parse_seconds("stop-timeout", request.stop_timeout, 10);
  config.timeout = parse_seconds("timeout", request.timeout, 0);
  config.log = plan_log(request);
  config.auto_remove = request.auto_remove;
  config.auto_remove_image = request.auto_remove_image;
  config.cid_file = absolute_if_given(request, request.cid_file);
  config.pid_file = absolute_if_given(request, request.pid_file);
  config.monitor_pid_file = absolute_if_given(request, request.monitor_pid_file);
  config.preserve_fds = request.preserve_fds;
}

void plan_passwd(const CreateRequest& request, ContainerConfig& config) {
  if (has_control_character(request.passwd_entry))
    fail_flag("passwd-entry", request.passwd_entry, "a control character");
  if (has_control_character(request.group_entry))
    fail_flag("group-entry", request.group_entry, "a control character");
  if (!request.passwd_entry.empty() || !request.group_entry.empty()) {
    throw Unsupported(
        "--passwd-entry and --group-entry are not supported: a container's /etc/passwd and "
        "/etc/group are those of its image");
  }
  config.edit_passwd = request.edit_passwd.value_or(true);
  config.passwd_entry = request.passwd_entry;
  config.group_entry = request.group_entry;
}

void check_name(const std::string& name) {
  if (!name.empty() && !is_object_name(name)) {
    fail_flag("name", name, "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
  }
}

void check_strings(const CreateRequest& request) {
  for (const std::string& word : request.command) {
    if (word.find('\0') != std::string::npos) throw InvalidArgument("a NUL byte in the command");
  }
}

}  // namespace

ContainerConfig plan_config(const CreateRequest& request, const std::optional<storage::Image>& image,
                            const rootless::HostFacts& host, const std::string& created,
                            const std::string& id, const std::string& name) {
  const storage::ImageConfig no_image;
  const storage::ImageConfig& defaults = image ? image->config : no_image;
  check_name(name);
  check_strings(request);

  ContainerConfig config;
  config.id = id;
  config.name = name;
  config.created = created;
  config.create_command = request.argv;
  plan_source(request, image, config);
  plan_command(request, defaults, config);
  config.env = plan_environment(request, defaults);
  config.labels = plan_labels(request, defaults);
  config.annotations = plan_annotations(request);
  config.terminal = request.terminal;
  config.interactive = request.interactive;
  config.init = request.init;

  config.namespaces = plan_namespace_modes(request, host);
  plan_networks(request, defaults, config);
  config.user = plan_user(request, defaults, host, config.namespaces.user);
  plan_groups(request, config);
  plan_working_directory(request, defaults, config);
  plan_names(request, config);
  plan_passwd(request, config);

  config.mounts = plan_mount_requests(request, defaults, id);
  for (const std::string& device : request.devices) config.devices.push_back(parse_device(device));
  config.read_only = request.read_only;
  config.read_only_tmpfs = request.read_only_tmpfs;
  check_timezone(request.timezone);
  config.timezone = request.timezone;

  plan_security(request, config);
  plan_limits(request, config);
  plan_life(request, defaults, config);
  return config;
}

}  // namespace knarr::engine
