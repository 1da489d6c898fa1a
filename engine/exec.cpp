// SPDX-License-Identifier: Apache-2.0
// `exec`: joins the namespaces of the container's init and becomes another process there. The command itself
// is its parent; no monitor takes part and nothing stays behind.
#include "engine/exec.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "engine/detach_keys.h"
#include "engine/launch/arena.h"
#include "engine/launch/launch_plan.h"
#include "engine/launch/spawn.h"
#include "engine/launch/trace_words.h"
#include "engine/live_container.h"
#include "engine/pump.h"
#include "engine/seccomp/filter.h"
#include "engine/terminal.h"
#include "rootless/sys/error.h"
#include "rootless/sys/socket.h"

namespace knarr::engine {

namespace {

// What the process would look like if the container were started with it.
ContainerConfig exec_config(ContainerConfig config, const ExecRequest& request) {
  config.entrypoint.clear();
  config.command = request.command;
  config.env.insert(config.env.end(), request.env.begin(), request.env.end());
  if (!request.user.empty()) config.user = request.user;
  if (!request.working_dir.empty()) config.working_dir = request.working_dir;
  config.terminal = request.terminal;
  config.privileged = config.privileged || request.privileged;
  config.init = false;
  return config;
}

// For the spec of the process alone: its namespaces exist, its mounts too.
ContainerConfig process_only(ContainerConfig config) {
  config.namespaces = {};
  config.mounts.clear();
  config.devices.clear();
  config.sysctls.clear();
  return config;
}

// The namespaces a container does not share with the host: only those are ours to join.
NamespacePlan plan_join(const Engine& engine, const ContainerConfig& config, const sys::ProcessId& init) {
  const NamespaceModes& modes = config.namespaces;
  NamespacePlan plan;
  auto& join = plan.joins[plan.join_count++];
  join.pid = init.pid;
  join.start_time = init.start_time;
  join.types = CLONE_NEWNS;
  const auto add = [&](const std::string& mode, std::uint64_t type) {
    if (mode != "host") join.types |= type;
  };
  if (!engine.host().rootful || modes.user != "host") join.types |= CLONE_NEWUSER;
  add(modes.pid, CLONE_NEWPID);
  add(modes.ipc, CLONE_NEWIPC);
  add(modes.uts, CLONE_NEWUTS);
  add(modes.cgroup, CLONE_NEWCGROUP);
  add(modes.network, CLONE_NEWNET);
  add(modes.time, CLONE_NEWTIME);
  return plan;
}

// Anonymous pipes, sockets and /dev/null cross into the container as they are. A file, a named FIFO or a
// terminal does not: whoever holds a descriptor of a file can open it again through /proc/self/fd, in other
// modes too.
bool may_cross(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) return false;
  if (S_ISFIFO(info.st_mode)) {
    struct statfs facts {};
    return ::fstatfs(fd, &facts) == 0 && facts.f_type == PIPEFS_MAGIC;
  }
  struct stat null {};
  if (::stat("/dev/null", &null) < 0) return false;
  return S_ISSOCK(info.st_mode) || (S_ISCHR(info.st_mode) && info.st_rdev == null.st_rdev);
}

// The descriptors the process gets as 0, 1, 2, and the copying that takes.
struct Streams {
  sys::UniqueFd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
  sys::UniqueFd child_ends[3];  // of pipes made here
  PumpStreams copied;
  int stdio[3] = {-1, -1, -1};
};

void copy_through_pipe(Streams& streams, int fd) {
  sys::Pipe pipe = sys::make_pipe();
  sys::UniqueFd& child = fd == 0 ? pipe.read : pipe.write;
  sys::UniqueFd& own = fd == 0 ? pipe.write : pipe.read;
  PumpStreams& copied = streams.copied;
  PumpStream& stream = fd == 0 ? copied.input : fd == 1 ? copied.output : copied.error;
  stream = {.own = std::move(own), .users = fd};
  streams.stdio[fd] = child.get();
  streams.child_ends[fd] = std::move(child);
}

void connect_streams(Streams& streams, const ExecRequest& request) {
  for (int fd = 0; fd <= 2; ++fd) {
    const bool wanted = !request.detach && (fd != 0 || request.interactive);
    if (!wanted || ::fcntl(fd, F_GETFD) < 0) {
      streams.stdio[fd] = streams.null.get();
    } else if (may_cross(fd)) {
      streams.stdio[fd] = fd;
    } else {
      copy_through_pipe(streams, fd);
    }
  }
}

// Waits for the end of set-up: nothing but "about to exec" and the end of the pipe is success.
void await_exec(int report_fd, const InitPlanWords& words) {
  monitor::StartReport failure{};
  failure.kind = monitor::StartReport::Kind::init_killed;
  init::Report report{};
  for (;;) {
    const ssize_t got = ::read(report_fd, &report, sizeof(report));
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof(report)) break;
    if (report.kind == init::Report::Kind::about_to_exec) failure.kind = monitor::StartReport::Kind::started;
    if (report.kind == init::Report::Kind::failure) {
      failure.kind = monitor::StartReport::Kind::init_failed;
      failure.init_report = report;
    }
  }
  if (failure.kind != monitor::StartReport::Kind::started) throw_launch_failure(failure, words);
}

sigset_t forwarded_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH})
    ::sigaddset(&set, signal);
  return set;
}

void child_entry(const void* plan) {
  init::run(*static_cast<const init::Plan*>(plan));
}

// Everything one exec needs, in the order it is made.
struct Execution {
  Arena arena;
  InitPlanWords words;
  init::Plan* plan = nullptr;
  NamespacePlan namespaces;
  Streams streams;
  sys::Pipe go = sys::make_pipe();
  sys::Pipe report = sys::make_pipe();
  sys::SocketPair console;
  init::Trace* trace = nullptr;

  void done(const char* what) const { init::mark(trace, "command", what); }
};

void lay_out(const Engine& engine, const ExecRequest& request, const ContainerConfig& config,
             const ContainerStatus& status, Execution& execution) {
  const ContainerConfig process = process_only(config);
  const Spec spec = build_spec(
      {.config = process, .host = engine.host(), .facts = gather_spec_facts(process, engine.host())});
  execution.plan = plan_init(spec, engine.host(), "/", load_filter(engine, spec, execution.arena),
                             execution.arena, execution.words);
  init::Plan& plan = *execution.plan;
  plan.has_root = false;
  plan.operations = {};
  plan.bring_up_loopback = false;
  plan.hostname = nullptr;
  plan.process.make_cwd = false;
  plan.process.preserve_fds = request.preserve_fds;
  if (const auto size = window_size(0)) {
    plan.process.rows = size->rows;
    plan.process.columns = size->columns;
  }
  // A process of `exec -d` must outlive this command.
  plan.die_with_parent = false;
  execution.namespaces = plan_join(engine, config, joinable_process(status.init));
  if (request.terminal) {
    execution.console = sys::make_socket_pair(SOCK_SEQPACKET);
    plan.console_fd = execution.console.second.get();
  } else {
    connect_streams(execution.streams, request);
    for (int fd = 0; fd <= 2; ++fd) {
      plan.stdio[fd] = execution.streams.stdio[fd];
      plan.own_stdio[fd] = static_cast<bool>(execution.streams.child_ends[fd]);
    }
  }
  plan.go_fd = execution.go.read.get();
  plan.report_fd = execution.report.write.get();
  plan.trace = execution.trace;
}

Spawned start(Execution& execution) {
  SpawnFailure failure;
  Spawned process = spawn(execution.namespaces, child_entry, execution.plan, failure);
  if (process.pid < 0) {
    throw_launch_failure({.kind = monitor::StartReport::Kind::spawn_failed, .spawn = failure},
                         execution.words);
  }
  execution.go.read.reset();
  execution.report.write.reset();
  for (sys::UniqueFd& end : execution.streams.child_ends) end.reset();
  execution.console.second.reset();
  // A child that died already is reported by its pipe.
  if (::write(execution.go.write.get(), "g", 1) != 1 && errno != EPIPE) throw_errno("starting the process");
  execution.go.write.reset();
  return process;
}

void close_all_but(std::array<int, 2> kept) {
  std::sort(kept.begin(), kept.end());
  int first = 3;
  for (const int fd : kept) {
    if (fd > first)
      ::syscall(SYS_close_range, static_cast<unsigned>(first), static_cast<unsigned>(fd) - 1, 0U);
    first = fd + 1;
  }
  ::syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U);
}

// A process whose terminal has no master is hung up, and one whose terminal nobody reads stops. So a detached
// one gets a process that throws away what it shows, until it ends.
void keep_terminal(sys::UniqueFd master, int null_fd, int pid_fd) {
  sys::fork_child([&] {
    ::setsid();
    // The user's terminal may have been hung up before that.
    ::signal(SIGHUP, SIG_IGN);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::chdir("/") < 0) return 1;
    for (int fd = 0; fd <= 2; ++fd) ::dup2(null_fd, fd);
    close_all_but({master.get(), pid_fd});
    pump_terminal(master, -1, 1, pid_fd, -1, "");
    return 0;
  });
}

}  // namespace

ExecResult exec(const Engine& engine, const ExecRequest& request) {
  Execution execution;
  if (engine.options().trace) execution.trace = execution.arena.make<init::Trace>();
  execution.done("began");
  const ContainerStatus status = engine.status(request.id);
  if (status.state != State::running) {
    throw Conflict(concat("can only create exec sessions on running containers: ", request.id.substr(0, 12),
                          " is ", state_name(status.state)));
  }
  const ContainerConfig config = exec_config(engine.load_config(request.id), request);
  const sigset_t signals = forwarded_signals();
  sigset_t blocked = signals;
  ::sigaddset(&blocked, SIGPIPE);  // a reader or a child that is gone is seen as EPIPE
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  const sys::UniqueFd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC));

  execution.done("read the record");
  lay_out(engine, request, config, status, execution);
  execution.done("planned");
  // Nobody who enters carries a directory of the host: real root with CAP_SYS_PTRACE in there could take it
  // from them.
  ::dup3(execution.streams.null.get(), engine.store().fd(), O_CLOEXEC);
  const Spawned process = start(execution);
  execution.done("joined the namespaces, cloned");
  sys::UniqueFd console =
      request.terminal ? sys::receive_descriptor(execution.console.first.get()) : sys::UniqueFd();
  try {
    await_exec(execution.report.read.get(), execution.words);
    execution.done("saw it execute");
    if (execution.trace != nullptr) tell_trace(*execution.trace, execution.words, engine.options().trace);
  } catch (...) {
    sys::wait_child(process.pid);
    throw;
  }
  if (request.detach) return {std::nullopt, process.pid};
  const int pid_fd = process.pid_fd.get();
  const PumpResult pumped =
      request.terminal ? pump_terminal(console, request.interactive ? 0 : -1, 1, pid_fd, signal_fd.get(),
                                       parse_detach_keys(request.detach_keys))
                       : pump_until_exit(std::move(execution.streams.copied), pid_fd, signal_fd.get());
  if (pumped.end == PumpResult::End::detached) {
    keep_terminal(std::move(console), execution.streams.null.get(), pid_fd);
    return {std::nullopt, process.pid};
  }
  const int exit_code = sys::wait_child(process.pid).code;
  if (pumped.output_error != 0) throw_sys_error(pumped.output_error, "writing the container's output");
  return {exit_code, process.pid};
}

}  // namespace knarr::engine
