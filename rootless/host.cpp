// SPDX-License-Identifier: Apache-2.0
#include "rootless/host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>

#include "rootless/capability.h"
#include "rootless/helpers.h"
#include "rootless/subid_source.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/user.h"

namespace knarr::rootless {
namespace {

bool has_effective_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) < 0) return false;
  return data[capability / 32].effective & (1u << (capability % 32));
}

// The initial namespaces have fixed inode numbers (enum init_ns_ino in linux/nsfs.h). The map alone would
// not tell: root can make a namespace that maps every id to itself.
bool is_in_initial_user_namespace() {
  constexpr ino_t initial_user_namespace = 0xEFFFFFFD;
  const std::optional<struct stat> info = sys::stat_at(AT_FDCWD, "/proc/self/ns/user");
  return !info || info->st_ino == initial_user_namespace;  // a kernel without user namespaces has no file
}

IdMap read_own_map(const char* path) {
  const auto text = sys::read_file_if_exists(AT_FDCWD, path);
  if (!text) return {{0, 0, 0xffffffff}};
  const std::optional<IdMap> map = parse_id_map(*text);
  if (!map) throw Error(concat("reading ", path, ": it has an unknown form"));
  return *map;
}

// Both maps have ranges or neither: an image needs the same ids as users and as groups.
void plan_new_r(HostFacts& host) {
  host.r_maps = {plan_r_map(host.uid, {}), plan_r_map(host.gid, {})};
  if (!can_gain_privilege()) return;
  const auto newuidmap = find_id_map_helper("newuidmap");
  const auto newgidmap = find_id_map_helper("newgidmap");
  if (!newuidmap || !newgidmap) return;
  const SubIdRanges ranges = read_subid_ranges(host.user_name, host.uid);
  if (ranges.uids.empty() || ranges.gids.empty()) return;
  host.r_maps = {plan_r_map(host.uid, ranges.uids), plan_r_map(host.gid, ranges.gids)};
  host.newuidmap = *newuidmap;
  host.newgidmap = *newgidmap;
}

bool is_privileged_file(const std::string& path, const struct stat& info) {
  if ((info.st_mode & S_ISUID) != 0 && info.st_uid == 0) return true;
  return ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

}  // namespace

bool can_gain_privilege() {
  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

std::vector<std::string> id_map_helper_places(const std::string& name) {
  // The system's directories first: $PATH may hold a copy from a package manager of the user's own, which
  // has no privilege.
  return {"/run/wrappers/bin/" + name, "/usr/bin/" + name, "/bin/" + name, "/usr/sbin/" + name,
          "/usr/local/bin/" + name};
}

std::optional<std::string> find_id_map_helper(const std::string& name) {
  for (const std::string& path : id_map_helper_places(name)) {
    const auto info = sys::stat_at(AT_FDCWD, path);
    if (info && S_ISREG(info->st_mode) && is_privileged_file(path, *info)) return path;
  }
  return std::nullopt;
}

bool is_rootful() {
  return ::geteuid() == 0 && has_effective_capability(CAP_SYS_ADMIN) && is_in_initial_user_namespace();
}

bool is_root_in_user_namespace() {
  return ::geteuid() == 0 && has_effective_capability(CAP_SYS_ADMIN) && !is_in_initial_user_namespace();
}

uid_t outermost_known_uid() {
  return map_to_outside(read_own_map("/proc/self/uid_map"), ::geteuid()).value_or(::geteuid());
}

std::string home_directory() {
  const char* home = std::getenv("HOME");
  if (home && home[0] == '/') return home;
  const std::optional<User> user = find_user(::geteuid());
  return user ? user->home : "";
}

HostFacts gather_host_facts() {
  HostFacts host;
  host.uid = ::geteuid();
  host.gid = ::getegid();
  const std::optional<User> user = find_user(host.uid);
  host.user_name = user ? user->name : std::to_string(host.uid);
  const char* home = std::getenv("HOME");
  host.home = home && home[0] == '/' ? home : user ? user->home : "";
  host.rootful = is_rootful();
  host.inside_user_namespace = !host.rootful && is_root_in_user_namespace();
  if (host.rootful || host.inside_user_namespace) {
    host.r_maps = {plan_nested_identity(read_own_map("/proc/self/uid_map")),
                   plan_nested_identity(read_own_map("/proc/self/gid_map"))};
  } else {
    plan_new_r(host);
  }
  struct statfs cgroup;
  host.cgroup_v2_only = ::statfs("/sys/fs/cgroup", &cgroup) == 0 && cgroup.f_type == CGROUP2_SUPER_MAGIC;
  return host;
}

}  // namespace knarr::rootless
