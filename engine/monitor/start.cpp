// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/start.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine::monitor {

namespace {

// What monitor and init say to each other before the container runs, and the container's streams: one end of
// each is ours, the other init's.
struct Channels {
  sys::Pipe go;
  sys::Pipe report;
  sys::SocketPair console;   // on a terminal; second: init's
  sys::SocketPair netns;     // with networks; second: init's
  sys::UniqueFd streams[3];  // init's ends, not on a terminal
};

void open_streams(const Plan& plan, Channels& channels, ContainerIo& io) {
  sys::Pipe output = sys::make_pipe();
  sys::Pipe error = sys::make_pipe();
  io.output = std::move(output.read);
  io.error = std::move(error.read);
  channels.streams[1] = std::move(output.write);
  channels.streams[2] = std::move(error.write);
  if (plan.keep_stdin_open || plan.stdin_once) {
    sys::Pipe input = sys::make_pipe();
    channels.streams[0] = std::move(input.read);
    io.input = std::move(input.write);
  } else {
    channels.streams[0] = sys::open_at(AT_FDCWD, "/dev/null", O_RDONLY);
  }
}

Channels open_channels(const Plan& plan, ContainerIo& io) {
  Channels channels;
  channels.go = sys::make_pipe();
  channels.report = sys::make_pipe();
  if (plan.network != nullptr) channels.netns = sys::make_socket_pair(SOCK_STREAM);
  if (plan.terminal) {
    channels.console = sys::make_socket_pair(SOCK_STREAM);
  } else {
    open_streams(plan, channels, io);
  }
  return channels;
}

void keep_own_ends(Channels& channels) {
  channels.go.read.reset();
  channels.report.write.reset();
  channels.console.second.reset();
  channels.netns.second.reset();
  for (sys::UniqueFd& stream : channels.streams) stream.reset();
}

init::Plan plan_with_channels(const Plan& plan, const Channels& channels) {
  init::Plan filled = *plan.init;
  filled.go_fd = channels.go.read.get();
  filled.report_fd = channels.report.write.get();
  filled.netns_fd = channels.netns.second.get();
  filled.trace = plan.trace;
  filled.console_fd = channels.console.second.get();
  for (int i = 0; i < 3; ++i) {
    filled.stdio[i] = channels.streams[i].get();
    filled.own_stdio[i] = static_cast<bool>(channels.streams[i]);
  }
  return filled;
}

// In the child. The signals that are blocked here it unblocks itself.
void enter_init(const void* plan) {
  init::run(*static_cast<const init::Plan*>(plan));
}

Init spawn_init(const Plan& plan, const Channels& channels) {
  const init::Plan init_plan = plan_with_channels(plan, channels);
  SpawnFailure failure;
  Spawned spawned = spawn(plan.namespaces, enter_init, &init_plan, failure);
  if (spawned.pid < 0) {
    throw StartFailure{{.kind = StartReport::Kind::spawn_failed, .spawn = failure}};
  }
  return Init(std::move(spawned));
}

void write_pid_files(const Plan& plan, pid_t init) {
  if (plan.pid_file != nullptr) write_pid_file(plan.pid_file, init);
  if (plan.monitor_pid_file != nullptr) write_pid_file(plan.monitor_pid_file, ::getpid());
}

void let_go(const Channels& channels) {
  const char go = 'g';
  ssize_t wrote;
  do {
    wrote = ::write(channels.go.write.get(), &go, 1);
  } while (wrote < 0 && errno == EINTR);
  // EPIPE: init is dead already. Its report, or the missing one, tells why.
}

bool read_report(int fd, init::Report& report) {
  ssize_t got;
  do {
    got = ::read(fd, &report, sizeof report);
  } while (got < 0 && errno == EINTR);
  return got == sizeof report;
}

// Reads reports until the pipe ends, which it does by itself when init executes the program.
void await_exec(Init& init, const Channels& channels, const StartReporter& reporter) {
  bool about_to_exec = false;
  init::Report report{};
  while (read_report(channels.report.read.get(), report)) {
    switch (report.kind) {
      case init::Report::Kind::about_to_exec:
        about_to_exec = true;
        break;
      case init::Report::Kind::notice:
        reporter.send({.kind = StartReport::Kind::notice, .init_report = report});
        break;
      case init::Report::Kind::failure:
        throw StartFailure{{.kind = StartReport::Kind::init_failed, .init_report = report}};
    }
  }
  if (about_to_exec) return;
  report = {};
  report.error = init.wait();
  throw StartFailure{{.kind = StartReport::Kind::init_killed, .init_report = report}};
}

// The terminal's master, which init has sent before it reported that it is about to execute.
sys::UniqueFd receive_master(int socket_fd) {
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw_errno("receiving the container's terminal");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    throw_sys_error(EPROTO, "receiving the container's terminal");
  }
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return sys::UniqueFd(fd);
}

void take_terminal(const Channels& channels, ContainerIo& io) {
  io.terminal = true;
  io.output = receive_master(channels.console.first.get());
  // Without it (kernels before 4.13) the output ends when all processes have closed the terminal.
  io.terminal_peer.reset(::ioctl(io.output.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

// The descriptors for the container's process alone (--preserve-fds). Held open here they would keep pipes of
// the user from ending.
void close_preserved(const Plan& plan) {
  const std::uint32_t count = plan.init->process.preserve_fds;
  if (count != 0) ::close_range(3, 2 + count, 0);
}

}  // namespace

// ---- init ----

Init::~Init() {
  if (pid_ <= 0) return;
  kill();
  wait();
}

// By pid: it is our child and not reaped, so the pid is its own.
void Init::kill() {
  ::kill(pid_, SIGKILL);
}

int Init::wait() {
  int status = 0;
  const pid_t pid = std::exchange(pid_, -1);
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  return status;
}

// ---- reports ----

void StartReporter::send(const StartReport& report) const {
  ssize_t wrote;
  do {
    wrote = ::write(fd_.get(), &report, sizeof report);
  } while (wrote < 0 && errno == EINTR);
}

// ---- the start ----

Started start_init(const Plan& plan, int run_directory_fd, const StartReporter& reporter) {
  ContainerIo io;
  Channels channels = at_step(MonitorStep::stdio, [&] { return open_channels(plan, io); });
  auto network = plan.network == nullptr ? nullptr : std::make_unique<ContainerNetwork>(plan);
  Init init = at_step(MonitorStep::stdio, [&] { return spawn_init(plan, channels); });
  init::mark(plan.trace, "monitor", "cloned init, wrote its id maps");
  keep_own_ends(channels);
  close_preserved(plan);
  // Before init may begin: a container that runs is always on record.
  PidsFile pids = at_step(MonitorStep::record, [&] {
    write_pid_files(plan, init.pid());
    return PidsFile(run_directory_fd, {sys::identify(::getpid()), sys::identify(init.pid())});
  });
  if (network) network->connect(channels.netns.first.get());
  let_go(channels);
  init::mark(plan.trace, "monitor", "recorded it, let it go");
  await_exec(init, channels, reporter);
  init::mark(plan.trace, "monitor", "saw it execute");
  if (plan.terminal) at_step(MonitorStep::stdio, [&] { take_terminal(channels, io); });
  return {std::move(network), std::move(init), std::move(io), std::move(pids)};
}

}  // namespace knarr::engine::monitor
