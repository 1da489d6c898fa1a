// SPDX-License-Identifier: Apache-2.0
// `exec`: joins the namespaces of the container's init and becomes another process there. The command itself
// is its parent; no monitor takes part and nothing stays behind.
#include "engine/exec.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "engine/detach_keys.h"
#include "engine/launch/arena.h"
#include "engine/launch/launch_plan.h"
#include "engine/launch/spawn.h"
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

// Pipes, sockets and /dev/null cross into the container as they are. A file or a terminal does not: whoever
// holds a descriptor of a file can open it again through /proc/self/fd, for writing too.
bool may_cross(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) return false;
  struct stat null {};
  ::stat("/dev/null", &null);
  return S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) ||
         (S_ISCHR(info.st_mode) && info.st_rdev == null.st_rdev);
}

// The descriptors the process gets as 0, 1, 2, and the copying that takes.
struct Streams {
  sys::UniqueFd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
  std::vector<sys::UniqueFd> child_ends;
  std::vector<sys::UniqueFd> own_ends;
  std::vector<PumpStream> inputs, outputs;
  int stdio[3] = {-1, -1, -1};
};

void connect_streams(Streams& streams, const ExecRequest& request) {
  for (int fd = 0; fd <= 2; ++fd) {
    const bool wanted = !request.detach && (fd != 0 || request.interactive);
    if (!wanted || ::fcntl(fd, F_GETFD) < 0) {
      streams.stdio[fd] = streams.null.get();
    } else if (may_cross(fd)) {
      streams.stdio[fd] = fd;
    } else {
      sys::Pipe pipe = sys::make_pipe();
      sys::UniqueFd& child = fd == 0 ? pipe.read : pipe.write;
      sys::UniqueFd& own = fd == 0 ? pipe.write : pipe.read;
      streams.stdio[fd] = child.get();
      if (fd == 0) {
        streams.inputs.push_back({.from = 0, .to = own.release(), .close_target_at_end = true});
      } else {
        streams.outputs.push_back({.from = own.get(), .to = fd});
        streams.own_ends.push_back(std::move(own));
      }
      streams.child_ends.push_back(std::move(child));
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
  execution.namespaces = plan_join(engine, config, status.init);
  if (request.terminal) {
    execution.console = sys::make_socket_pair(SOCK_SEQPACKET);
    plan.console_fd = execution.console.second.get();
  } else {
    connect_streams(execution.streams, request);
    for (int fd = 0; fd <= 2; ++fd) plan.stdio[fd] = execution.streams.stdio[fd];
  }
  plan.go_fd = execution.go.read.get();
  plan.report_fd = execution.report.write.get();
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
  execution.streams.child_ends.clear();
  execution.console.second.reset();
  // A child that died already is reported by its pipe.
  if (::write(execution.go.write.get(), "g", 1) != 1 && errno != EPIPE) throw_errno("starting the process");
  execution.go.write.reset();
  return process;
}

}  // namespace

ExecResult exec(const Engine& engine, const ExecRequest& request) {
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

  Execution execution;
  lay_out(engine, request, config, status, execution);
  const Spawned process = start(execution);
  const sys::UniqueFd console =
      request.terminal ? sys::receive_descriptor(execution.console.first.get()) : sys::UniqueFd();
  try {
    await_exec(execution.report.read.get(), execution.words);
  } catch (...) {
    sys::wait_child(process.pid);
    throw;
  }
  if (request.detach) return {std::nullopt, process.pid};
  if (request.terminal) {
    if (pump_terminal(console.get(), process.pid_fd.get(), signal_fd.get(), request.interactive,
                      parse_detach_keys(request.detach_keys)) == PumpEnd::detached) {
      return {std::nullopt, process.pid};
    }
  } else {
    pump_until_exit(std::move(execution.streams.inputs), std::move(execution.streams.outputs),
                    process.pid_fd.get(), signal_fd.get());
  }
  return {sys::wait_child(process.pid).code, process.pid};
}

}  // namespace knarr::engine
