// SPDX-License-Identifier: Apache-2.0
#include "rootless/user_namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "rootless/id_mapper.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

// Ids 0 are those this process had before, so nothing changes outside. Supplementary groups stay although
// they have no name in R: they still open files, and `--group-add keep-groups` passes them on.
void become_root() {
  if (::setresgid(0, 0, 0) < 0) throw_errno("becoming gid 0 in the user namespace");
  if (::setresuid(0, 0, 0) < 0) throw_errno("becoming uid 0 in the user namespace");
}

[[noreturn]] void throw_forbidden(int code, std::string_view act) {
  SysError error(code, act);
  error.set_hint(explain_forbidden_user_namespace(code));
  throw error;
}

void unshare_user_namespace() {
  if (::unshare(CLONE_NEWUSER) < 0) throw_forbidden(errno, "creating a user namespace");
}

// ---- joining ----

bool is_dead(int pid_fd) {
  pollfd watched{pid_fd, POLLIN, 0};
  return ::poll(&watched, 1, 0) != 0;
}

// Two open descriptors: only while a namespace is held open does its inode number belong to it alone.
bool is_same_namespace(int first_fd, int second_fd) {
  struct stat first, second;
  return ::fstat(first_fd, &first) == 0 && ::fstat(second_fd, &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// A container's private namespace has R's owner and shows R's map when it is looked at from here; it differs
// by its parent.
bool is_child_of_ours(int namespace_fd) {
  const sys::UniqueFd parent(::ioctl(namespace_fd, NS_GET_PARENT));
  const sys::UniqueFd ours = sys::find_at(AT_FDCWD, "/proc/self/ns/user", O_RDONLY);
  return parent && ours && is_same_namespace(parent.get(), ours.get());
}

bool is_owned_by(int namespace_fd, uid_t uid) {
  uid_t owner = 0;
  return ::ioctl(namespace_fd, NS_GET_OWNER_UID, &owner) == 0 && owner == uid;
}

bool has_map(const std::string& path, const IdMap& wanted) {
  const sys::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  return parse_id_map(sys::read_all(fd.get(), path)) == wanted;
}

// The user namespace of a candidate if that is R, empty otherwise.
sys::UniqueFd open_r_of(const sys::ProcessId& candidate, const HostFacts& host) {
  const sys::UniqueFd process = sys::open_process(candidate);
  if (!process) return {};
  const std::string proc = concat("/proc/", candidate.pid);
  sys::UniqueFd user_namespace(::open(concat(proc, "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!user_namespace || !is_child_of_ours(user_namespace.get())) return {};
  if (!is_owned_by(user_namespace.get(), host.uid)) return {};
  if (!has_map(proc + "/uid_map", host.r_maps.uids) || !has_map(proc + "/gid_map", host.r_maps.gids))
    return {};
  // While the process lives its pid is its own: all that was read by pid was read of it.
  return is_dead(process.get()) ? sys::UniqueFd() : std::move(user_namespace);
}

bool join_any(const HostFacts& host, const std::vector<sys::ProcessId>& candidates) {
  for (const sys::ProcessId& candidate : candidates) {
    const sys::UniqueFd r = open_r_of(candidate, host);
    if (r && ::setns(r.get(), CLONE_NEWUSER) == 0) return true;
  }
  return false;
}

// The owner of /proc/PID is root while a process is not dumpable, and then nobody of this user may write its
// maps: so is a program whose file its user cannot read.
class DumpableMeanwhile {
 public:
  DumpableMeanwhile() : before_(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)) { set(1); }
  DumpableMeanwhile(const DumpableMeanwhile&) = delete;
  DumpableMeanwhile& operator=(const DumpableMeanwhile&) = delete;
  // To 0 from 2 ("suidsafe") as well, which cannot be set and protects no better.
  ~DumpableMeanwhile() { set(before_ == 1 ? 1 : 0); }

 private:
  void set(int value) {
    if (before_ != 1) ::prctl(PR_SET_DUMPABLE, value, 0, 0, 0);
  }
  int before_;
};

// ---- a new R with one id ----

void write_proc_file(const char* path, std::string_view content) {
  const sys::UniqueFd fd = sys::open_at(AT_FDCWD, path, O_WRONLY);
  if (::write(fd.get(), content.data(), content.size()) < 0) throw_forbidden(errno, concat("writing ", path));
}

void create_with_single_id(const HostFacts& host) {
  unshare_user_namespace();
  // Without privilege over the parent the kernel takes a group map only from who gave up setgroups(2).
  write_proc_file("/proc/self/setgroups", "deny");
  write_proc_file("/proc/self/uid_map", render_id_map(host.r_maps.uids));
  write_proc_file("/proc/self/gid_map", render_id_map(host.r_maps.gids));
}

// ---- a new R with ranges ----

void create_with_ranges(const HostFacts& host) {
  IdMapper mapper(host, ::getpid());
  unshare_user_namespace();
  mapper.write_maps();
}

}  // namespace

Entered enter_r(const HostFacts& host, const std::vector<sys::ProcessId>& candidates) {
  if (host.rootful || host.inside_user_namespace || is_root_in_user_namespace()) return Entered::already;
  sys::require_single_thread("entering the user namespace");
  if (join_any(host, candidates)) {
    become_root();
    return Entered::joined;
  }
  const DumpableMeanwhile dumpable;
  const bool single = count_ids(host.r_maps.uids) == 1;
  if (single) {
    create_with_single_id(host);
  } else {
    create_with_ranges(host);
  }
  become_root();
  return single ? Entered::single_id : Entered::created;
}

}  // namespace knarr::rootless
