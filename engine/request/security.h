// SPDX-License-Identifier: Apache-2.0
// Security options, sysctls and limits as a user writes them. All pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// What the --security-opt words add up to.
struct SecurityOptions {
  bool no_new_privileges = false;
  std::string seccomp;              // "unconfined", a profile's path; empty: the default filter
  bool unmask_all = false;          // unmask=ALL, systempaths=unconfined
  std::vector<std::string> unmask;  // path patterns (fnmatch(3), FNM_PATHNAME)
  std::vector<std::string> mask;
  std::vector<std::string> proc_options;  // of the mount of /proc
};
// Throws InvalidArgument for what is no option, Unsupported for a security module's profile.
SecurityOptions parse_security_options(const std::vector<std::string>& options);

// NAME=VALUE pairs, each of a namespace that is the container's own. Names stay as given.
std::map<std::string, std::string> plan_sysctls(const std::vector<std::string>& sysctls,
                                                const NamespaceModes& modes);
// "net.ipv4.ip_forward" and "net/ipv4/ip_forward" → "net/ipv4/ip_forward", below /proc/sys. As in sysctl(8)
// the first separator decides: after a '/' dots are part of names, after a '.' slashes are.
std::string sysctl_path(std::string_view name);

// --ulimit NAME=SOFT[:HARD], "host"
UlimitRequest parse_ulimit(std::string_view text);
// RLIMIT_* (getrlimit(2)) of a name as --ulimit takes it; nullopt for an unknown one.
std::optional<int> limit_number(std::string_view name);

}  // namespace knarr::engine
