// SPDX-License-Identifier: Apache-2.0
#include "engine/request/namespaces.h"

#include <algorithm>
#include <initializer_list>

#include "engine/request/networks.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::string_view container_prefix = "container:";
constexpr std::string_view path_prefix = "ns:";

std::string plan_mode(const CreateRequest& request, std::string_view flag, std::string mode,
                      std::string_view missing, std::initializer_list<std::string_view> words) {
  if (mode.empty()) return std::string(missing);
  if (is_checked_reference(request, flag, mode)) return mode;
  for (const std::string_view word : words) {
    if (mode == word) return mode;
  }
  fail_flag(flag, mode, "unrecognized namespace mode");
}

std::string plan_user_mode(const CreateRequest& request, const rootless::HostFacts& host) {
  std::string mode = request.user_namespace;
  if (mode.empty()) return "host";
  if (is_checked_reference(request, "userns", mode)) return mode;
  const UserNamespaceMode parsed = parse_user_namespace_mode(mode);
  if (parsed.kind == UserNamespaceMode::Kind::no_map && host.rootful) {
    fail_flag("userns", mode, "nomap is only supported in rootless mode");
  }
  if (parsed.kind == UserNamespaceMode::Kind::no_map && rootless::count_ids(host.r_maps.uids) < 2) {
    fail_flag("userns", mode, "without subordinate ids (/etc/subuid) nothing else could be mapped");
  }
  return mode;
}

void apply_keep_id_option(UserNamespaceMode& mode, std::string_view text, std::string_view option) {
  const auto parts = split_once(option, '=');
  const auto number = parts ? parse_unsigned(parts->second, UINT32_MAX - 1) : std::nullopt;
  if (!parts) fail_flag("userns", text, concat("invalid keep-id option \"", option, "\""));
  if (!number) fail_flag("userns", text, concat("invalid ", parts->first, " \"", parts->second, "\""));
  const auto id = static_cast<std::uint32_t>(*number);
  if (parts->first == "uid") {
    mode.uid = id;
  } else if (parts->first == "gid") {
    mode.gid = id;
  } else if (parts->first == "size" && id > 0) {
    mode.size = id;
  } else {
    fail_flag("userns", text, concat("invalid keep-id option \"", option, "\""));
  }
}

// "INSIDE:OUTSIDE:COUNT"; OUTSIDE is an id of R, which rootless is no id of the host.
rootless::IdExtent parse_mapping(std::string_view text, std::string_view option) {
  const std::vector<std::string> parts = split(option, ':');
  std::uint32_t numbers[3] = {};
  bool valid = parts.size() == 3;
  for (std::size_t i = 0; valid && i < 3; ++i) {
    const auto number = parse_unsigned(parts[i], UINT32_MAX - 1);
    valid = number.has_value();
    if (valid) numbers[i] = static_cast<std::uint32_t>(*number);
  }
  if (!valid || numbers[2] == 0 || numbers[2] > UINT32_MAX - std::max(numbers[0], numbers[1])) {
    fail_flag("userns", text, concat("invalid mapping \"", option, "\", expected INSIDE:OUTSIDE:COUNT"));
  }
  return {numbers[0], numbers[1], numbers[2]};
}

void apply_auto_option(UserNamespaceMode& mode, std::string_view text, std::string_view option) {
  const auto parts = split_once(option, '=');
  if (parts && parts->first == "size") {
    const auto size = parse_unsigned(parts->second, UINT32_MAX - 1);
    if (!size || *size == 0) fail_flag("userns", text, concat("invalid size \"", parts->second, "\""));
    mode.size = static_cast<std::uint32_t>(*size);
  } else if (parts && parts->first == "uidmapping") {
    mode.uid_mapping.push_back(parse_mapping(text, parts->second));
  } else if (parts && parts->first == "gidmapping") {
    mode.gid_mapping.push_back(parse_mapping(text, parts->second));
  } else {
    fail_flag("userns", text, concat("invalid auto option \"", option, "\""));
  }
}

}  // namespace

bool is_checked_reference(const CreateRequest& request, std::string_view flag, std::string& mode) {
  if (mode.starts_with(container_prefix)) {
    if (mode.size() == container_prefix.size()) fail_flag(flag, mode, "a container is needed");
    return true;
  }
  if (mode.starts_with(path_prefix)) {
    if (mode.size() == path_prefix.size()) fail_flag(flag, mode, "a path is needed");
    mode =
        concat(path_prefix, absolute_host_path(request, std::string_view(mode).substr(path_prefix.size())));
    return true;
  }
  return false;
}

NamespaceMode parse_namespace_mode(std::string_view text) {
  using Kind = NamespaceMode::Kind;
  if (text == "host") return {Kind::host, {}};
  if (text.starts_with(container_prefix)) {
    return {Kind::container, std::string(text.substr(container_prefix.size()))};
  }
  if (text.starts_with(path_prefix)) return {Kind::path, std::string(text.substr(path_prefix.size()))};
  return {Kind::own, {}};
}

UserNamespaceMode parse_user_namespace_mode(std::string_view text) {
  using Kind = UserNamespaceMode::Kind;
  UserNamespaceMode mode;
  if (text.starts_with(container_prefix)) {
    mode.kind = Kind::container;
    mode.argument = text.substr(container_prefix.size());
  } else if (text.starts_with(path_prefix)) {
    mode.kind = Kind::path;
    mode.argument = text.substr(path_prefix.size());
  } else if (text == "host" || text.empty()) {
    mode.kind = Kind::host;
  } else if (text == "private") {
    mode.kind = Kind::own;
  } else if (text == "nomap") {
    mode.kind = Kind::no_map;
  } else if (text == "keep-id" || text.starts_with("keep-id:")) {
    mode.kind = Kind::keep_id;
    if (const auto options = split_once(text, ':')) {
      for (const std::string& option : split(options->second, ',')) apply_keep_id_option(mode, text, option);
    }
  } else if (text == "auto" || text.starts_with("auto:")) {
    mode.kind = Kind::automatic;
    if (const auto options = split_once(text, ':')) {
      for (const std::string& option : split(options->second, ',')) apply_auto_option(mode, text, option);
    }
  } else {
    fail_flag("userns", text, "unrecognized namespace mode");
  }
  return mode;
}

NamespaceModes plan_namespace_modes(const CreateRequest& request, const rootless::HostFacts& host) {
  NamespaceModes modes;
  modes.user = plan_user_mode(request, host);
  modes.pid = plan_mode(request, "pid", request.pid, "private", {"private", "host"});
  modes.ipc = plan_mode(request, "ipc", request.ipc, "private", {"private", "shareable", "host", "none"});
  modes.uts = plan_mode(request, "uts", request.uts, "private", {"private", "host"});
  modes.cgroup = plan_mode(request, "cgroupns", request.cgroup, "private", {"private", "host"});
  modes.network = plan_network_mode(request);
  return modes;
}

void resolve_container_modes(NamespaceModes& modes,
                             const std::function<std::string(const std::string& name)>& resolve) {
  for (std::string* mode :
       {&modes.user, &modes.pid, &modes.ipc, &modes.uts, &modes.cgroup, &modes.network, &modes.time}) {
    if (!mode->starts_with(container_prefix)) continue;
    *mode = concat(container_prefix, resolve(mode->substr(container_prefix.size())));
  }
}

}  // namespace knarr::engine
