// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "engine/launch/launch_plan.h"

namespace knarr::engine {

namespace {

using init::Step;
using monitor::MonitorStep;
using monitor::StartReport;

constexpr int engine_failure = 125;
constexpr int cannot_invoke = 126;
constexpr int not_found = 127;

[[noreturn]] void fail(std::string message, std::string hint = {}, int status = engine_failure) {
  LaunchError error(std::move(message), status);
  if (!hint.empty()) error.set_hint(std::move(hint));
  throw error;
}

std::string sentence(std::string_view act, int code) {
  return concat(act, ": ", errno_words(code));
}

const std::string& at_or(const std::vector<std::string>& words, std::size_t index,
                         const std::string& otherwise) {
  return index < words.size() ? words[index] : otherwise;
}

// --- exec ---

// As the peers word it; scripts look for "not found in $PATH".
std::string exec_sentence(const std::string& program, int code) {
  const char* cause = ::strerror(code);
  if (program.empty()) return concat("the command is an empty string: ", cause);
  if (code == ENOENT || code == ENOTDIR) {
    const bool searched = program.find('/') == std::string::npos;
    return concat("executable file \"", program,
                  searched ? "\" not found in $PATH: " : "\" not found: ", cause);
  }
  return concat("executable file \"", program, "\" cannot be executed: ", cause);
}

std::string exec_hint(const std::string& program, int code) {
  switch (code) {
    case ENOENT:
      if (program.find('/') == std::string::npos) return {};
      return "if the file is there, the interpreter it names (its #! line, its dynamic loader) is not";
    case ENOEXEC:
      return "the file is neither a script with a #! line nor a program for this processor";
    case E2BIG:
      return "arguments and environment are larger than the kernel takes";
    default:
      return {};
  }
}

[[noreturn]] void fail_exec(const std::string& program, int code) {
  const int status = code == ENOENT || code == ENOTDIR ? not_found : cannot_invoke;
  fail(exec_sentence(program, code), exec_hint(program, code), status);
}

// --- users and directories ---

[[noreturn]] void fail_user(const InitPlanWords& words, int code) {
  const std::string user = words.user.empty() ? "0" : words.user;
  switch (code) {
    case ENOENT:
      fail(concat("unable to find user ", user, ": no matching entries in passwd file"), {}, cannot_invoke);
    case ERANGE:
      fail(concat("user ", user, ": the id is out of range"), {}, cannot_invoke);
    case EINVAL:
      fail(concat("user ", user, ": malformed, or the container's /etc/passwd is no regular file"), {},
           cannot_invoke);
    default:
      fail(sentence(concat("looking up user ", user, " in the container's /etc/passwd"), code), {},
           cannot_invoke);
  }
}

[[noreturn]] void fail_group(const InitPlanWords& words, std::uint32_t index, int code) {
  // 0: the group of --user; 1..: those of --group-add.
  const std::size_t colon = words.user.find(':');
  const std::string own = colon == std::string::npos ? "0" : words.user.substr(colon + 1);
  const std::string& group = index == 0 ? own : at_or(words.groups, index - 1, own);
  if (code == ENOENT) {
    fail(concat("unable to find group ", group, ": no matching entries in group file"), {}, cannot_invoke);
  }
  fail(sentence(concat("looking up group ", group, " in the container's /etc/group"), code), {},
       cannot_invoke);
}

[[noreturn]] void fail_working_directory(const InitPlanWords& words, int code) {
  if (code == ENOENT || code == ENOTDIR) {
    fail(concat("workdir \"", words.cwd, "\" does not exist in the container"), {}, cannot_invoke);
  }
  fail(sentence(concat("entering the working directory ", words.cwd), code), {}, cannot_invoke);
}

// --- ids ---

constexpr const char* unmapped_hint =
    "the id is not mapped into this container: add a larger range for your user to /etc/subuid and "
    "/etc/subgid";

[[noreturn]] void fail_ids(std::string_view act, int code) {
  fail(sentence(act, code), code == EINVAL ? unmapped_hint : "");
}

// --- mounts ---

std::string mount_hint(const std::string& act, int code, bool root) {
  const bool overlay = act.find("overlay") != std::string::npos;
  switch (code) {
    case EPERM:
    case ENODEV:
      if (overlay) {
        return "this kernel cannot mount overlay in a user namespace here; install fuse-overlayfs or use "
               "--storage-driver vfs";
      }
      return {};
    case EINVAL:
      if (overlay)
        return "the file system of the store may not serve as an overlay's upper layer; try another --root";
      return {};
    case EACCES:
      if (!root) return {};
      return "the container's root may not enter the store: with --userns=auto and nomap the caller's own "
             "files "
             "are nobody's";
    case ENOSPC:
      return "no space, no inodes, or more mounts than /proc/sys/fs/mount-max allows";
    case EOVERFLOW:
      return unmapped_hint;
    case ESTALE:
      return "what was there when the command began has been replaced by something else meanwhile";
    default:
      return {};
  }
}

[[noreturn]] void fail_mount(const std::string& act, int code, bool root = false) {
  fail(sentence(act, code), mount_hint(act, code, root));
}

// --- all steps ---

std::string_view step_words(Step step) {
  switch (step) {
    case Step::none:
      return "setting up the container";
    case Step::wait_for_go:
      return "waiting for the container's namespaces";
    case Step::set_ids:
      return "becoming root in the container's user namespace";
    case Step::new_session:
      return "starting a session";
    case Step::loopback:
      return "bringing up the loopback interface";
    case Step::hostname:
      return "setting the host name";
    case Step::domainname:
      return "setting the domain name";
    case Step::make_private:
      return "detaching the container's mounts from the host's";
    case Step::mount_root:
      return "mounting the root file system";
    case Step::operation:
      return "setting up the container's files";
    case Step::pivot_root:
      return "changing to the container's root file system (pivot_root)";
    case Step::root_read_only:
      return "making the root file system read-only";
    case Step::open_terminal:
      return "opening a terminal in the container's /dev/pts";
    case Step::stdio:
      return "connecting standard input and output";
    case Step::resolve_user:
      return "looking up the user";
    case Step::resolve_group:
      return "looking up the group";
    case Step::working_directory:
      return "entering the working directory";
    case Step::limits:
      return "setting a resource limit";
    case Step::oom_score:
      return "setting the OOM score (--oom-score-adj)";
    case Step::seccomp:
      return "loading the seccomp filter";
    case Step::capabilities:
      return "setting capabilities";
    case Step::groups:
      return "setting supplementary groups";
    case Step::user_ids:
      return "changing to the container's user";
    case Step::no_new_privileges:
      return "setting no_new_privs";
    case Step::close_descriptors:
      return "closing file descriptors";
    case Step::exec:
      return "executing the command";
  }
  return "setting up the container";
}

[[noreturn]] void fail_limit(const InitPlanWords& words, std::uint32_t index, int code) {
  const std::string limit = at_or(words.limits, index, "a resource limit");
  fail(sentence(concat("setting ulimit ", limit), code),
       code == EPERM ? "a hard limit cannot be raised above the caller's own (ulimit -H)" : "");
}

[[noreturn]] void throw_init_failure(const init::Report& report, const InitPlanWords& words) {
  const int code = report.error;
  switch (report.step) {
    case Step::exec:
      fail_exec(words.executable, code);
    case Step::resolve_user:
      fail_user(words, code);
    case Step::resolve_group:
      fail_group(words, report.index, code);
    case Step::working_directory:
      fail_working_directory(words, code);
    case Step::mount_root:
      fail_mount(words.root, code, /*root=*/true);
    case Step::operation:
      fail_mount(describe_step(report, words), code);
    case Step::user_ids:
      fail_ids(concat("changing to user ", words.user.empty() ? "0" : words.user), code);
    case Step::set_ids:
    case Step::groups:
      fail_ids(step_words(report.step), code);
    case Step::limits:
      fail_limit(words, report.index, code);
    default:
      fail(sentence(step_words(report.step), code));
  }
}

// --- the processes before init ---

[[noreturn]] void throw_spawn_failure(const SpawnFailure& failure) {
  const int code = failure.error;
  switch (failure.step) {
    case SpawnStep::join:
      if (code == ESRCH) fail("joining a namespace: the process that holds it is gone");
      fail(sentence(concat("joining namespace ", failure.index + 1), code));
    case SpawnStep::clone:
      fail(sentence("creating the container's namespaces", code),
           code == ENOSPC   ? "the limits in /proc/sys/user/max_*_namespaces are reached"
           : code == EPERM  ? "namespaces may be forbidden here (sysctl, AppArmor, seccomp)"
           : code == EAGAIN ? "the limit on processes is reached (ulimit -u)"
                            : "");
    case SpawnStep::uid_map:
    case SpawnStep::gid_map:
      fail(sentence(failure.step == SpawnStep::uid_map ? "mapping user ids" : "mapping group ids", code),
           code == EPERM
               ? "ids of the map are not mapped in the caller's namespace: check /etc/subuid and /etc/subgid"
               : "");
    case SpawnStep::setgroups:
      fail(sentence("denying setgroups", code));
    case SpawnStep::time_offsets:
      fail(sentence("setting the time namespace's offsets", code));
    case SpawnStep::none:
      break;
  }
  fail(sentence("starting the container's process", code));
}

std::string_view monitor_words(std::uint32_t step) {
  switch (static_cast<MonitorStep>(step)) {
    case MonitorStep::none:
      break;
    case MonitorStep::enter_r:
      return "entering the user namespace";
    case MonitorStep::runtime_directory:
      return "opening the run directory";
    case MonitorStep::attach_socket:
      return "making the attach socket";
    case MonitorStep::log:
      return "opening the log";
    case MonitorStep::stdio:
      return "making the container's standard streams";
    case MonitorStep::record:
      return "recording the start";
  }
  return "supervising the container";
}

[[noreturn]] void throw_killed(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    fail(concat("the container's first process was killed by signal ", signal, " (", ::strsignal(signal),
                ") during set-up"),
         signal == SIGKILL ? "out of memory, perhaps: see the kernel's log" : "");
  }
  fail(
      concat("the container's first process ended with status ", WEXITSTATUS(wait_status), " during set-up"));
}

}  // namespace

std::string describe_step(const init::Report& report, const InitPlanWords& words) {
  const std::string general(step_words(report.step));
  switch (report.step) {
    case Step::operation:
      return at_or(words.operations, report.index, general);
    case Step::mount_root:
      return words.root;
    default:
      return general;
  }
}

void throw_launch_failure(const monitor::StartReport& report, const InitPlanWords& words) {
  switch (report.kind) {
    case StartReport::Kind::init_failed:
      throw_init_failure(report.init_report, words);
    case StartReport::Kind::spawn_failed:
      throw_spawn_failure(report.spawn);
    case StartReport::Kind::monitor_failed:
      fail(sentence(monitor_words(report.monitor_step), report.init_report.error));
    case StartReport::Kind::init_killed:
      throw_killed(report.init_report.error);
    case StartReport::Kind::told:  // the launcher's
    case StartReport::Kind::started:
    case StartReport::Kind::notice:
      break;
  }
  throw Error("a start report that is no failure");
}

}  // namespace knarr::engine
