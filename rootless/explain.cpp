// SPDX-License-Identifier: Apache-2.0
// Why user namespaces or ranges of ids are not to be had here, in words for hints and warnings.
#include <fcntl.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "rootless/helpers.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/user_namespace.h"

namespace knarr::rootless {
namespace {

// ---- what forbids user namespaces here ----

std::optional<long> read_sysctl(const char* path) {
  const auto text = sys::read_file_if_exists(AT_FDCWD, path);
  long value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return {};
  return value;
}

bool is_seccomp_filtered() {
  return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
}

std::string explain_limit() {
  const std::optional<long> limit = read_sysctl("/proc/sys/user/max_user_namespaces");
  if (limit == 0) {
    return "user.max_user_namespaces is 0, which switches user namespaces off; an administrator can raise "
           "it: "
           "sysctl -w user.max_user_namespaces=15000";
  }
  return concat("the limit of user namespaces is reached (user.max_user_namespaces is ", limit.value_or(0),
                " here; outer namespaces have their own limits, and they nest at most 32 deep)");
}

std::string explain_refusal() {
  if (read_sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    return "kernel.unprivileged_userns_clone is 0; an administrator can allow user namespaces: "
           "sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (read_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return "kernel.apparmor_restrict_unprivileged_userns is 1; an administrator can install an AppArmor "
           "profile "
           "for this program with the rule \"userns,\" or switch the restriction off: "
           "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (is_seccomp_filtered()) {
    return "a seccomp filter is on this process; the container or service it runs in must allow unshare(2) "
           "of "
           "user namespaces";
  }
  return "this process may not create user namespaces; a chroot and a security module are known reasons";
}

// ---- why there is a single id ----

std::string missing_helper() {
  for (const char* name : {"newuidmap", "newgidmap"}) {
    if (find_id_map_helper(name)) continue;
    for (const std::string& path : id_map_helper_places(name)) {
      if (sys::stat_at(AT_FDCWD, path)) {
        return concat(path, " has no privilege (it must be set-user-ID root: chmod u+s ", path, ")");
      }
    }
    return concat(name, " is not installed (package uidmap or shadow-utils)");
  }
  return {};
}

// A start for 65536 ids after all that are granted to anybody.
std::uint64_t first_free_id(std::string_view file) {
  std::uint64_t free = 100000;
  while (!file.empty()) {
    const std::size_t end = file.find('\n');
    const std::string_view line = file.substr(0, end);
    const std::string owner(line.substr(0, line.find(':')));
    for (const SubIdLine& grant : parse_subid_lines(line, owner, static_cast<uid_t>(-1))) {
      free = std::max(free, std::uint64_t{grant.range.start} + grant.range.count);
    }
    file = end == std::string_view::npos ? std::string_view{} : file.substr(end + 1);
  }
  return free;
}

std::string missing_ranges(const HostFacts& host) {
  const std::string uids = sys::read_file_if_exists(AT_FDCWD, "/etc/subuid").value_or("");
  const std::string gids = sys::read_file_if_exists(AT_FDCWD, "/etc/subgid").value_or("");
  const bool no_uids = parse_subid(uids, host.user_name, host.uid).empty();
  const bool no_gids = parse_subid(gids, host.user_name, host.uid).empty();
  if (!no_uids && !no_gids) return {};
  const char* files = no_uids && no_gids ? "/etc/subuid and /etc/subgid"
                      : no_uids          ? "/etc/subuid"
                                         : "/etc/subgid";
  const std::uint64_t start = std::max(first_free_id(uids), first_free_id(gids));
  return concat(files, no_uids && no_gids ? " have" : " has", " no line for ", host.user_name,
                "; an administrator can add: ", host.user_name, ':', start, ":65536");
}

}  // namespace

std::string explain_forbidden_user_namespace(int code) {
  if (code == ENOSPC || code == EUSERS) return explain_limit();
  if (code == EPERM || code == EACCES) return explain_refusal();
  if (code == EINVAL || code == ENOSYS)
    return "this kernel was built without user namespaces (CONFIG_USER_NS)";
  return {};
}

std::string explain_single_id(const HostFacts& host) {
  if (host.rootful || host.inside_user_namespace || count_ids(host.r_maps.uids) > 1) return {};
  if (!can_gain_privilege()) {
    return "no_new_privs is set on this process, so newuidmap cannot gain the privilege to map more ids";
  }
  if (std::string reason = missing_helper(); !reason.empty()) return reason;
  return missing_ranges(host);
}

}  // namespace knarr::rootless
