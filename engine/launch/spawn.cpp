// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "rootless/sys/process.h"

namespace knarr::engine {
namespace {

using sys::UniqueFd;

bool fail(SpawnFailure& failure, SpawnStep step, int index = 0, int error = errno) {
  failure = {step, error, index};
  return false;
}

// --- clone -----------------------------------------------------------------------------------------------

// Like fork(2): 0 in the child. `pid_fd` may be null.
pid_t clone_process(std::uint64_t flags, int exit_signal, int* pid_fd) {
  clone_args arguments{};
  arguments.flags = flags | (pid_fd != nullptr ? std::uint64_t{CLONE_PIDFD} : 0);
  arguments.pidfd = reinterpret_cast<std::uint64_t>(pid_fd);
  arguments.exit_signal = static_cast<std::uint64_t>(exit_signal);
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<pid_t>(pid);
  // A kernel before 5.3, or a seccomp filter that cannot look into clone3's arguments and so denies it. Of
  // clone(2) the first three arguments are the same on the architectures we build for.
  return static_cast<pid_t>(
      ::syscall(SYS_clone, arguments.flags | arguments.exit_signal, nullptr, pid_fd, nullptr, nullptr));
}

// Only a dumpable process's id maps can be written by its unprivileged owner: /proc/PID of others belongs to
// the machine's root (proc(5)). The child inherits this; init turns it off when the maps are written.
class DumpableWhileCloning {
 public:
  explicit DumpableWhileCloning(bool wanted) : before_(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)) {
    changed_ = wanted && before_ != 1 && ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
  }
  ~DumpableWhileCloning() {
    // 2 (suidsafe) cannot be set; 0 is the stricter one.
    if (changed_) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  DumpableWhileCloning(const DumpableWhileCloning&) = delete;
  DumpableWhileCloning& operator=(const DumpableWhileCloning&) = delete;

 private:
  int before_;
  bool changed_ = false;
};

// --- id maps ---------------------------------------------------------------------------------------------

UniqueFd open_proc() {
  return UniqueFd{::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

// "PID/name", below a /proc that was opened before any join.
struct ProcName {
  ProcName(pid_t pid, const char* name) { std::snprintf(text, sizeof text, "%d/%s", pid, name); }
  char text[48];
};

bool write_process_file(int proc_fd, pid_t pid, const char* name, const char* content) {
  const UniqueFd file{::openat(proc_fd, ProcName(pid, name).text, O_WRONLY | O_CLOEXEC)};
  if (!file) return false;
  const std::size_t size = std::strlen(content);
  const ssize_t written = ::write(file.get(), content, size);  // maps are taken in one write(2) or not at all
  if (written >= 0 && static_cast<std::size_t>(written) != size) errno = EIO;
  return written >= 0 && static_cast<std::size_t>(written) == size;
}

// By the process that cloned: the kernel takes maps only from the parent namespace of the new one.
bool write_maps(const NamespacePlan& plan, int proc_fd, pid_t pid, SpawnFailure& failure) {
  if ((plan.create & CLONE_NEWUSER) == 0) return true;
  if (plan.deny_setgroups && !write_process_file(proc_fd, pid, "setgroups", "deny"))
    return fail(failure, SpawnStep::setgroups);
  if (plan.uid_map != nullptr && !write_process_file(proc_fd, pid, "uid_map", plan.uid_map))
    return fail(failure, SpawnStep::uid_map);
  if (plan.gid_map != nullptr && !write_process_file(proc_fd, pid, "gid_map", plan.gid_map))
    return fail(failure, SpawnStep::gid_map);
  return true;
}

// --- joins -----------------------------------------------------------------------------------------------

constexpr int max_joins = sizeof(NamespacePlan::joins) / sizeof(NamespacePlan::joins[0]);

struct NamespaceFile {
  std::uint64_t type;
  const char* name;
};
// The user namespace first: it gives the rights over the others.
constexpr NamespaceFile namespace_files[] = {
    {CLONE_NEWUSER, "ns/user"}, {CLONE_NEWPID, "ns/pid"}, {CLONE_NEWIPC, "ns/ipc"},
    {CLONE_NEWUTS, "ns/uts"},   {CLONE_NEWNET, "ns/net"}, {CLONE_NEWCGROUP, "ns/cgroup"},
    {CLONE_NEWTIME, "ns/time"}, {CLONE_NEWNS, "ns/mnt"},
};
constexpr std::size_t namespace_count = sizeof namespace_files / sizeof namespace_files[0];

// A pidfd or a namespace's file; opened before the first join, for that may take the paths away.
UniqueFd open_join(const NamespacePlan::Join& join) {
  if (join.path != nullptr) return UniqueFd{::open(join.path, O_RDONLY | O_CLOEXEC)};
  UniqueFd process = sys::open_process({join.pid, join.start_time});
  if (!process) errno = ESRCH;
  return process;
}

// Whether the user namespace to enter is the one that this process is in, which setns(2) refuses.
bool is_own_user_namespace(int proc_fd, const NamespacePlan::Join& join, int target_fd) {
  struct stat theirs, ours;
  const int found = join.path != nullptr ? ::fstat(target_fd, &theirs)
                                         : ::fstatat(proc_fd, ProcName(join.pid, "ns/user").text, &theirs, 0);
  return found == 0 && ::fstatat(proc_fd, "self/ns/user", &ours, 0) == 0 && theirs.st_dev == ours.st_dev &&
         theirs.st_ino == ours.st_ino;
}

// For kernels whose setns takes no pidfd (before 5.8).
bool enter_one_by_one(int proc_fd, const NamespacePlan::Join& join, int process_fd, std::uint64_t types) {
  UniqueFd files[namespace_count];
  for (std::size_t i = 0; i < namespace_count; ++i) {
    if ((types & namespace_files[i].type) == 0) continue;
    files[i].reset(::openat(proc_fd, ProcName(join.pid, namespace_files[i].name).text, O_RDONLY | O_CLOEXEC));
    if (!files[i]) return false;
  }
  // Still alive: then the names above were its own and not a later process's.
  if (::syscall(SYS_pidfd_send_signal, process_fd, 0, nullptr, 0) < 0) return false;
  for (std::size_t i = 0; i < namespace_count; ++i) {
    if (files[i] && ::setns(files[i].get(), static_cast<int>(namespace_files[i].type)) < 0) return false;
  }
  return true;
}

bool enter_join(int proc_fd, const NamespacePlan::Join& join, int target_fd) {
  std::uint64_t types = join.types;
  if ((types & CLONE_NEWUSER) != 0 && is_own_user_namespace(proc_fd, join, target_fd))
    types &= ~std::uint64_t{CLONE_NEWUSER};
  if (types == 0 || ::setns(target_fd, static_cast<int>(types)) == 0) return true;
  return join.path == nullptr && errno == EINVAL && enter_one_by_one(proc_fd, join, target_fd, types);
}

bool enter_joins(const NamespacePlan& plan, int proc_fd, SpawnFailure& failure) {
  UniqueFd targets[max_joins];
  for (int i = 0; i < plan.join_count; ++i) {
    targets[i] = open_join(plan.joins[i]);
    if (!targets[i]) return fail(failure, SpawnStep::join, i);
  }
  for (int i = 0; i < plan.join_count; ++i) {
    if (!enter_join(proc_fd, plan.joins[i], targets[i].get())) return fail(failure, SpawnStep::join, i);
  }
  return true;
}

// The offsets of a time namespace can be written until the first process is in it, which its maker is not.
bool make_time_namespace(const NamespacePlan& plan, SpawnFailure& failure) {
  if ((plan.create & CLONE_NEWTIME) == 0) return true;
  if (::unshare(CLONE_NEWTIME) < 0) return fail(failure, SpawnStep::time_offsets);
  if (plan.time_offsets == nullptr) return true;
  const UniqueFd file{::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC)};
  const std::size_t size = std::strlen(plan.time_offsets);
  if (!file || ::write(file.get(), plan.time_offsets, size) != static_cast<ssize_t>(size))
    return fail(failure, SpawnStep::time_offsets);
  return true;
}

// --- with a stage ----------------------------------------------------------------------------------------

struct StageReport {
  pid_t pid = -1;
  SpawnFailure failure;
};

bool joins(const NamespacePlan& plan, std::uint64_t type) {
  for (int i = 0; i < plan.join_count; ++i) {
    if ((plan.joins[i].types & type) != 0) return true;
  }
  return false;
}

// The maker of a user namespace needs an id in the one it is in. EINVAL: there is no id 0 there; then the
// clone will say whether ours is one.
void become_joined_root() {
  if (::syscall(SYS_setresgid, 0, 0, 0) < 0) errno = 0;
  if (::syscall(SYS_setresuid, 0, 0, 0) < 0) errno = 0;
}

struct Stage {
  const NamespacePlan& plan;
  void (*entry)(const void*);
  const void* argument;
  sys::Pipe pipe = sys::make_pipe();  // for the StageReport
};

// In the stage: joins, clones, writes the maps, reports. The clone is a sibling of the stage. Whatever it
// changes in memory its parent may share: it leaves by _exit(2) and touches nothing of the parent's.
int run_stage(void* stage) {
  const auto& [plan, entry, argument, pipe] = *static_cast<const Stage*>(stage);
  StageReport report;
  UniqueFd proc = open_proc();
  const bool creates_user_namespace = (plan.create & CLONE_NEWUSER) != 0;
  if (make_time_namespace(plan, report.failure)) {
    // From here on processes of a container may see this one.
    if (joins(plan, CLONE_NEWPID) && !creates_user_namespace) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (enter_joins(plan, proc.get(), report.failure)) {
      if (creates_user_namespace && joins(plan, CLONE_NEWUSER)) become_joined_root();
      const DumpableWhileCloning dumpable(creates_user_namespace);
      // CLONE_PARENT takes its exit signal from us; the time namespace is waiting for our children already.
      report.pid = clone_process((plan.create & ~std::uint64_t{CLONE_NEWTIME}) | CLONE_PARENT, 0, nullptr);
      if (report.pid == 0) {
        ::close(pipe.read.get());
        ::close(pipe.write.get());
        proc.reset();
        entry(argument);
        ::_exit(125);
      }
      if (report.pid < 0)
        fail(report.failure, SpawnStep::clone);
      else
        write_maps(plan, proc.get(), report.pid, report.failure);
    }
  }
  const ssize_t written = ::write(pipe.write.get(), &report, sizeof report);
  ::_exit(written == static_cast<ssize_t>(sizeof report) ? 0 : 1);
}

// Sharing the parent's memory, which waits meanwhile, saves a copy of its page tables and the faults after
// it. But the kernel lets only a process with memory of its own join a time namespace (setns(2)).
pid_t start_stage(Stage& stage) {
  if (joins(stage.plan, CLONE_NEWTIME)) {
    const pid_t pid = clone_process(0, SIGCHLD, nullptr);
    if (pid == 0) run_stage(&stage);
    return pid;
  }
  alignas(16) char stack[32u << 10];
  // Entering a user namespace makes the memory of the process not dumpable (credentials(7)): ours, too.
  const int dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  const pid_t pid = ::clone(run_stage, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &stage);
  if (dumpable == 1) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return pid;
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool read_stage_report(int fd, StageReport& report) {
  ssize_t got;
  do {
    got = ::read(fd, &report, sizeof report);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof report);
}

Spawned spawn_in_stage(const NamespacePlan& plan, void (*entry)(const void*), const void* argument,
                       SpawnFailure& failure) {
  Stage stage{plan, entry, argument};
  const pid_t pid = start_stage(stage);
  if (pid < 0) {
    fail(failure, SpawnStep::clone);
    return {};
  }
  stage.pipe.write.reset();
  StageReport report;
  if (!read_stage_report(stage.pipe.read.get(), report)) report.failure = {SpawnStep::clone, ECHILD, 0};
  reap(pid);
  failure = report.failure;
  Spawned spawned;
  if (report.pid <= 0) return spawned;
  spawned.pid = report.pid;
  spawned.pid_fd.reset(static_cast<int>(::syscall(SYS_pidfd_open, report.pid, 0)));
  if (!spawned.pid_fd) fail(failure, SpawnStep::clone);
  return spawned;
}

Spawned spawn_directly(const NamespacePlan& plan, void (*entry)(const void*), const void* argument,
                       SpawnFailure& failure) {
  const DumpableWhileCloning dumpable((plan.create & CLONE_NEWUSER) != 0);
  Spawned spawned;
  int pid_fd = -1;
  spawned.pid = clone_process(plan.create, SIGCHLD, &pid_fd);
  if (spawned.pid == 0) {
    entry(argument);
    ::_exit(125);
  }
  spawned.pid_fd.reset(pid_fd);
  if (spawned.pid < 0)
    fail(failure, SpawnStep::clone);
  else if ((plan.create & CLONE_NEWUSER) != 0)
    write_maps(plan, open_proc().get(), spawned.pid, failure);
  return spawned;
}

}  // namespace

Spawned spawn(const NamespacePlan& plan, void (*entry)(const void*), const void* argument,
              SpawnFailure& failure) {
  failure = {};
  const bool staged = plan.join_count > 0 || (plan.create & CLONE_NEWTIME) != 0;
  Spawned spawned = staged ? spawn_in_stage(plan, entry, argument, failure)
                           : spawn_directly(plan, entry, argument, failure);
  if (failure.step == SpawnStep::none) return spawned;
  if (spawned.pid > 0) {
    ::kill(spawned.pid, SIGKILL);  // our child and not yet waited for: the pid is still its own
    reap(spawned.pid);
  }
  return {};
}

}  // namespace knarr::engine
