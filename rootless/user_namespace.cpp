// SPDX-License-Identifier: Apache-2.0
#include "rootless/user_namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "rootless/helpers.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/user.h"

namespace knarr::rootless {
namespace {

bool has_single_id(const HostFacts& host) {
  return count_ids(host.r_maps.uids) == 1;
}

// Ids 0 are those this process had before, so nothing changes outside. Supplementary groups stay although
// they have no name in R: they still open files, and `--group-add keep-groups` passes them on.
void become_root() {
  if (::setresgid(0, 0, 0) < 0) throw_errno("becoming gid 0 in the user namespace");
  if (::setresuid(0, 0, 0) < 0) throw_errno("becoming uid 0 in the user namespace");
}

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

std::vector<std::string> helper_command(const std::string& program, pid_t pid, const IdMap& map) {
  std::vector<std::string> argv{program, std::to_string(pid)};
  for (const IdExtent& extent : map) {
    for (const std::uint32_t number : {extent.inside, extent.outside, extent.count}) {
      argv.push_back(std::to_string(number));
    }
  }
  return argv;
}

// "[1-65537) -> [100000-165536) not allowed": the outside id the complaint is about.
std::optional<std::uint32_t> refused_id(std::string_view words) {
  const std::size_t arrow = words.find("-> [");
  std::uint32_t id = 0;
  if (arrow == std::string_view::npos) return {};
  const char* start = words.data() + arrow + 4;
  if (std::from_chars(start, words.data() + words.size(), id).ec != std::errc{}) return {};
  return id;
}

// The lines of /etc/subuid that a complaint can be about: the one with the refused id, else all of the
// user's.
std::string name_lines(const char* path, const HostFacts& host, std::string_view words) {
  const std::optional<std::uint32_t> refused = refused_id(words);
  const auto file = sys::read_file_if_exists(AT_FDCWD, path);
  std::string named;
  for (const SubIdLine& line : parse_subid_lines(file.value_or(""), host.user_name, host.uid)) {
    const bool covers =
        refused && *refused >= line.range.start && *refused - line.range.start < line.range.count;
    if (refused && !covers) continue;
    named += concat(named.empty() ? "" : ", ", path, " line ", line.number, " \"", line.text, '"');
  }
  return named.empty() ? concat("the ids of ", path) : named;
}

std::string helper_hint(const HostFacts& host, const std::string& program, std::string_view words) {
  const std::optional<User> user = find_user(host.uid);
  if (user && user->gid != host.gid) {
    return concat("the current group ", host.gid, " is not the login group ", user->gid, " of ", user->name,
                  ", which ", program, " demands; leave newgrp or sg first");
  }
  if (words.find("ermission denied") != std::string_view::npos ||
      words.find("not permitted") != std::string_view::npos) {
    return concat(program,
                  " could not gain privilege; it must be set-user-ID root on a file system without "
                  "nosuid, and in a container that has CAP_SETUID and CAP_SETGID");
  }
  return concat("correct the line for ", host.user_name, "; `man 5 subuid` describes its form");
}

struct HelperJob {
  const std::string& program;
  const IdMap& map;
  const char* ranges;  // the file they come from
};

// Empty, or why the helper failed: "newuidmap refused ...: its words".
std::string describe_failure(const HelperJob& job, const HostFacts& host, const sys::CommandResult& result) {
  if (result.status.code == 0) return {};
  const std::string words =
      result.errors.empty() ? concat("it exited with status ", result.status.code) : result.errors;
  return concat(job.program, " refused ", name_lines(job.ranges, host, words), ": ", words, '\0',
                helper_hint(host, job.program, words));
}

constexpr char report_success = '+';
constexpr char report_failure = '-';  // then the message, NUL, the hint

// Runs outside of R. Both programs look up the user and read files, so side by side they take half the time.
std::string write_maps(const HostFacts& host, pid_t target) {
  const HelperJob jobs[] = {{host.newuidmap, host.r_maps.uids, "/etc/subuid"},
                            {host.newgidmap, host.r_maps.gids, "/etc/subgid"}};
  // Nothing of the user's own: these programs run with privilege. Their words are quoted, so in English.
  const std::vector<std::string> env{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  sys::StartedCommand started[2];
  for (int i = 0; i < 2; ++i) {
    started[i] = sys::start_command(helper_command(jobs[i].program, target, jobs[i].map), env);
  }
  std::string failure;
  for (int i = 0; i < 2; ++i) {
    const sys::CommandResult result = sys::finish_command(std::move(started[i]));
    if (failure.empty()) failure = describe_failure(jobs[i], host, result);
  }
  return failure.empty() ? std::string(1, report_success) : report_failure + failure;
}

// The child that stays outside: waits until its parent is in the new namespace, then writes the maps.
int map_parent(const HostFacts& host, pid_t parent, sys::Pipe& go, sys::Pipe& report) {
  go.write.reset();
  report.read.reset();
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would take the helpers' exit statuses away
  char byte;
  if (::read(go.read.get(), &byte, 1) != 1) return 0;  // the parent gave up
  std::string text;
  try {
    text = write_maps(host, parent);
  } catch (const std::exception& error) {
    text = concat(report_failure, error.what(), '\0');
  }
  sys::write_all(report.write.get(), text, "the report of the id maps");
  return 0;
}

void check_report(std::string_view report) {
  if (!report.empty() && report[0] == report_success) return;
  if (report.empty()) throw Error("mapping the ids of the user namespace: the process that does it died");
  const std::size_t end = report.find('\0');
  Error error(concat("mapping the ids of the user namespace: ", report.substr(1, end - 1)));
  if (end != std::string_view::npos) error.set_hint(std::string(report.substr(end + 1)));
  throw error;
}

void reap(pid_t pid) {
  // Where SIGCHLD is ignored the child is gone already (ECHILD); its report says all there is to know.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void create_with_ranges(const HostFacts& host) {
  const pid_t self = ::getpid();
  sys::Pipe go = sys::make_pipe();
  sys::Pipe report = sys::make_pipe();
  const pid_t outside = sys::fork_child([&] { return map_parent(host, self, go, report); });
  go.read.reset();
  report.write.reset();
  try {
    unshare_user_namespace();
    sys::write_all(go.write.get(), "g", "the pipe to the id mapper");
    check_report(sys::read_all(report.read.get(), "the report of the id maps"));
  } catch (...) {
    go.write.reset();
    reap(outside);
    throw;
  }
  reap(outside);
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

Entered enter_r(const HostFacts& host, const std::vector<sys::ProcessId>& candidates) {
  if (host.rootful || host.inside_user_namespace || is_root_in_user_namespace()) return Entered::already;
  sys::require_single_thread("entering the user namespace");
  if (join_any(host, candidates)) {
    become_root();
    return Entered::joined;
  }
  const bool single = has_single_id(host);
  if (single) {
    create_with_single_id(host);
  } else {
    create_with_ranges(host);
  }
  become_root();
  return single ? Entered::single_id : Entered::created;
}

std::string explain_single_id(const HostFacts& host) {
  if (host.rootful || host.inside_user_namespace || !has_single_id(host)) return {};
  if (!can_gain_privilege()) {
    return "no_new_privs is set on this process, so newuidmap cannot gain the privilege to map more ids";
  }
  if (std::string reason = missing_helper(); !reason.empty()) return reason;
  return missing_ranges(host);
}

}  // namespace knarr::rootless
