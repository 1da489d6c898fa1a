// SPDX-License-Identifier: Apache-2.0
#include "engine/request/security.h"

#include <sys/resource.h>

#include <algorithm>

#include "engine/request/namespaces.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::string_view flag = "security-opt";

std::vector<std::string> split_paths(std::string_view option, std::string_view value) {
  std::vector<std::string> paths;
  for (const std::string& path : split(value, ':')) {
    if (path.empty() || path.front() != '/')
      fail_flag(flag, option, "expected absolute paths separated by ':'");
    paths.push_back(clean_path(path));
  }
  return paths;
}

void append(std::vector<std::string>& list, std::vector<std::string> more) {
  std::move(more.begin(), more.end(), std::back_inserter(list));
}

void apply_unmask(SecurityOptions& parsed, std::string_view option, std::string_view value) {
  if (value == "ALL" || value == "all") {
    parsed.unmask_all = true;
  } else {
    append(parsed.unmask, split_paths(option, value));
  }
}

void apply_no_new_privileges(SecurityOptions& parsed, std::string_view option, std::string_view value) {
  const auto truth = parse_bool(value);
  if (!truth) fail_flag(flag, option, "expected no-new-privileges[=true|false]");
  parsed.no_new_privileges = *truth;
}

void apply_pair(SecurityOptions& parsed, std::string_view option, std::string_view name,
                std::string_view value) {
  if (name == "seccomp") {
    if (value.empty()) fail_flag(flag, option, "expected 'unconfined' or the path of a profile");
    parsed.seccomp = value == "default" ? "" : value;
  } else if (name == "unmask") {
    apply_unmask(parsed, option, value);
  } else if (name == "mask") {
    append(parsed.mask, split_paths(option, value));
  } else if (name == "systempaths" && value == "unconfined") {
    parsed.unmask_all = true;
  } else if (name == "proc-opts") {
    append(parsed.proc_options, split(value, ','));
  } else if (name == "no-new-privileges") {
    apply_no_new_privileges(parsed, option, value);
  } else if (name == "apparmor") {
    if (value != "unconfined") {
      throw Unsupported(concat("--security-opt ", option, ": AppArmor profiles are not supported"));
    }
  } else if (name != "label") {  // labels are accepted without effect where there is no SELinux
    fail_flag(flag, option, "invalid --security-opt");
  }
}

// Older scripts write "seccomp:unconfined".
std::pair<std::string, std::string> split_option(std::string_view option) {
  const std::size_t at = option.find_first_of("=:");
  if (at == std::string_view::npos) fail_flag(flag, option, "invalid --security-opt");
  return {std::string(option.substr(0, at)), std::string(option.substr(at + 1))};
}

bool is_sysctl_name(std::string_view name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789_.-/";
  if (name.empty() || name.find_first_not_of(allowed) != std::string_view::npos) return false;
  const std::vector<std::string> parts = split(sysctl_path(name), '/');
  return parts.size() > 1 && std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
           return part.empty() || part == "." || part == "..";
         });
}

bool is_ipc_sysctl(std::string_view path) {
  constexpr std::string_view paths[] = {"kernel/msgmax", "kernel/msgmnb",         "kernel/msgmni",
                                        "kernel/sem",    "kernel/shmall",         "kernel/shmmax",
                                        "kernel/shmmni", "kernel/shm_rmid_forced"};
  return path.starts_with("fs/mqueue/") ||
         std::find(std::begin(paths), std::end(paths), path) != std::end(paths);
}

void check_sysctl_namespace(std::string_view text, std::string_view name, const NamespaceModes& modes) {
  const std::string path = sysctl_path(name);
  const bool ipc = is_ipc_sysctl(path);
  if (!ipc && !path.starts_with("net/")) {
    fail_flag("sysctl", text,
              concat("sysctl '", name, "' is not allowed: it does not belong to a namespace"));
  }
  const std::string& mode = ipc ? modes.ipc : modes.network;
  if (parse_namespace_mode(mode).kind != NamespaceMode::Kind::own) {
    fail_flag("sysctl", text,
              concat("sysctl '", name, "' is not allowed: the container has no ", ipc ? "ipc" : "network",
                     " namespace of its own (", mode, ")"));
  }
}

std::int64_t parse_limit(std::string_view text, std::string_view value) {
  const auto number = parse_signed(value);
  if (!number || *number < -1) fail_flag("ulimit", text, concat("invalid limit \"", value, "\""));
  return *number;
}

}  // namespace

SecurityOptions parse_security_options(const std::vector<std::string>& options) {
  SecurityOptions parsed;
  for (const std::string& option : options) {
    if (option == "no-new-privileges") {
      parsed.no_new_privileges = true;
    } else {
      const auto [name, value] = split_option(option);
      apply_pair(parsed, option, name, value);
    }
  }
  return parsed;
}

std::string sysctl_path(std::string_view name) {
  std::string path(name);
  const std::size_t first = path.find_first_of("./");
  if (first == std::string::npos || path[first] == '/') return path;
  for (char& c : path) {
    if (c == '.') {
      c = '/';
    } else if (c == '/') {
      c = '.';
    }
  }
  return path;
}

std::map<std::string, std::string> plan_sysctls(const std::vector<std::string>& sysctls,
                                                const NamespaceModes& modes) {
  std::map<std::string, std::string> planned;
  for (const std::string& text : sysctls) {
    const auto parts = split_once(text, '=');
    if (!parts) fail_flag("sysctl", text, "expected NAME=VALUE");
    const auto& [name, value] = *parts;
    if (!is_sysctl_name(name)) fail_flag("sysctl", text, concat("invalid name \"", name, "\""));
    // One write, one value: a line end would start another setting somewhere.
    if (has_control_character(value)) fail_flag("sysctl", name, "a control character in the value");
    check_sysctl_namespace(text, name, modes);
    planned[name] = value;
  }
  return planned;
}

UlimitRequest parse_ulimit(std::string_view text) {
  if (text == "host") return {.name = "host"};
  const auto parts = split_once(text, '=');
  if (!parts) fail_flag("ulimit", text, "invalid ulimit argument: expected NAME=SOFT[:HARD]");
  UlimitRequest limit{.name = parts->first};
  if (!limit_number(limit.name)) fail_flag("ulimit", text, concat("invalid ulimit type: ", limit.name));
  const auto values = split_once(parts->second, ':');
  limit.soft = parse_limit(text, values ? values->first : parts->second);
  limit.hard = values ? parse_limit(text, values->second) : limit.soft;
  const bool soft_exceeds = limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard);
  if (soft_exceeds) fail_flag("ulimit", text, "the soft limit must be less than or equal to the hard limit");
  return limit;
}

std::optional<int> limit_number(std::string_view name) {
  struct Entry {
    std::string_view name;
    int number;
  };
  constexpr Entry entries[] = {{"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
                               {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
                               {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
                               {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                               {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
                               {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
                               {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
                               {"stack", RLIMIT_STACK}};
  for (const Entry& entry : entries) {
    if (entry.name == name) return entry.number;
  }
  return std::nullopt;
}

}  // namespace knarr::engine
