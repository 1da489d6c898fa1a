// SPDX-License-Identifier: Apache-2.0
#include "fake_monitor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "engine/monitor/attach_address.h"
#include "engine/monitor/exit.h"
#include "engine/monitor/io.h"

namespace knarr::engine {

using monitor::FrameType;

// ---- clients ----

Peer Peer::connect(const std::string& run_directory) {
  const sys::UniqueFd directory = sys::open_at(AT_FDCWD, run_directory, O_PATH | O_DIRECTORY);
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = monitor::attach_address(directory.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw_errno("connecting");
  }
  return Peer(std::move(socket));
}

void Peer::send(FrameType type, std::string_view payload) {
  const std::string frame = static_cast<char>(type) + std::string(payload);
  if (::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) throw_errno("sending a frame");
}

std::optional<Frame> Peer::receive() {
  std::string frame(monitor::max_frame + 1, '\0');
  ssize_t got;
  do {
    got = ::recv(socket_.get(), frame.data(), frame.size(), 0);
  } while (got < 0 && (errno == ECONNRESET || errno == EINTR));
  if (got <= 0) return std::nullopt;
  return Frame{static_cast<FrameType>(frame[0]), frame.substr(1, static_cast<std::size_t>(got) - 1)};
}

Peer::Conversation Peer::read_to_end() {
  while (const auto frame = receive()) {
    if (frame->type == FrameType::output) seen_.output += frame->payload;
    if (frame->type == FrameType::error) seen_.error += frame->payload;
    if (frame->type == FrameType::exited) {
      std::int32_t code;
      std::memcpy(&code, frame->payload.data(), sizeof code);
      seen_.exit_code = code;
    }
  }
  return seen_;
}

void Peer::await_output(std::string_view text) {
  while (seen_.output.find(text) == std::string::npos) {
    const auto frame = receive();
    ASSERT_TRUE(frame) << "the end came before " << text;
    if (frame->type == FrameType::output) seen_.output += frame->payload;
    if (frame->type == FrameType::error) seen_.error += frame->payload;
  }
}

std::string frame_of_size(unsigned short rows, unsigned short columns) {
  const monitor::WindowSize size{rows, columns};
  return {reinterpret_cast<const char*>(&size), sizeof size};
}

// ---- the monitor ----

namespace {

struct Ends {
  monitor::ContainerIo io;
  sys::UniqueFd child[3];
};

Ends open_ends(const FakeMonitor::Setup& setup) {
  Ends ends;
  if (setup.terminal) {
    int master, slave;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) < 0) throw_errno("openpty");
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    ends.io.terminal = true;
    ends.io.output.reset(master);
    ends.io.terminal_peer.reset(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    for (sys::UniqueFd& fd : ends.child) fd.reset(::fcntl(slave, F_DUPFD_CLOEXEC, 3));
    ::close(slave);
    return ends;
  }
  sys::Pipe input = sys::make_pipe(), output = sys::make_pipe(), error = sys::make_pipe();
  ends.child[0] = std::move(input.read);
  ends.child[1] = std::move(output.write);
  ends.child[2] = std::move(error.write);
  ends.io.output = std::move(output.read);
  ends.io.error = std::move(error.read);
  if (setup.small_socket) ::fcntl(ends.io.output.get(), F_SETPIPE_SZ, 256 * 1024);
  if (setup.interactive) ends.io.input = std::move(input.write);
  return ends;
}

[[noreturn]] void run_script(const FakeMonitor::Setup& setup, const Ends& ends) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  for (int i = 0; i < 3; ++i) ::dup2(ends.child[i].get(), i);
  if (setup.terminal) ::ioctl(0, TIOCSCTTY, 0);
  ::execl("/bin/sh", "sh", "-c", setup.script.c_str(), nullptr);
  ::_exit(127);
}

sys::UniqueFd block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t forwarded;
  ::sigemptyset(&forwarded);
  ::sigaddset(&forwarded, SIGTERM);
  return sys::UniqueFd(::signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
}

int serve(const std::string& directory, const FakeMonitor::Setup& setup, sys::UniqueFd client,
          sys::UniqueFd ready) {
  const sys::UniqueFd signals = block_signals();
  const sys::UniqueFd dir = sys::open_directory(AT_FDCWD, directory);
  monitor::AttachServer clients(dir.get());
  const int small = 17'000;  // doubled by the kernel: room for a frame
  if (setup.small_socket) ::setsockopt(client.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  clients.adopt(std::move(client));
  const std::string log_path = directory + "/ctr.log";
  monitor::Plan plan;
  plan.log_path = log_path.c_str();
  monitor::LogWriter log(plan);

  Ends ends = open_ends(setup);
  const pid_t init = ::fork();
  if (init == 0) run_script(setup, ends);
  for (sys::UniqueFd& fd : ends.child) fd.reset();
  const sys::UniqueFd init_pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, init, 0)));
  ready.reset();

  monitor::Supervisor supervisor({.io = std::move(ends.io),
                                  .init_pid_fd = init_pid_fd.get(),
                                  .signal_fd = signals.get(),
                                  .stdin_once = setup.stdin_once,
                                  .timeout_seconds = setup.timeout_seconds},
                                 clients, log);
  supervisor.supervise();
  const int code = sys::wait_child(init).code;
  supervisor.drain();
  clients.stop_listening();
  sys::create_file(dir.get(), "recorded", "", 0600, sys::Durability::none);
  monitor::report_exit(clients, supervisor.timed_out() ? monitor::timed_out_exit_code : code);
  return 0;
}

}  // namespace

FakeMonitor::FakeMonitor(const TempDir& directory, const Setup& setup) : client_(sys::UniqueFd()) {
  sys::SocketPair pair = sys::make_socket_pair(SOCK_SEQPACKET);
  sys::Pipe ready = sys::make_pipe();
  pid_ = sys::fork_child([&] {
    pair.first.reset();
    ready.read.reset();
    return serve(directory.path(), setup, std::move(pair.second), std::move(ready.write));
  });
  client_ = Peer(std::move(pair.first));
  pair.second.reset();
  ready.write.reset();
  char none;
  EXPECT_EQ(::read(ready.read.get(), &none, 1), 0);
}

FakeMonitor::~FakeMonitor() {
  if (pid_ <= 0) return;
  client_.hang_up();
  ::kill(pid_, SIGKILL);
  sys::wait_child(pid_);
}

void FakeMonitor::wait() {
  EXPECT_EQ(sys::wait_child(std::exchange(pid_, -1)).code, 0);
}

void await_file(const std::string& path, std::size_t bytes) {
  for (int i = 0; i < 2000; ++i) {
    const auto status = sys::stat_at(AT_FDCWD, path);
    if (status && static_cast<std::size_t>(status->st_size) >= bytes) return;
    ::poll(nullptr, 0, 5);
  }
  FAIL() << path << " did not appear";
}

}  // namespace knarr::engine
