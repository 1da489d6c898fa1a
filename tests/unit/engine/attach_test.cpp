// SPDX-License-Identifier: Apache-2.0
// The client in a process of its own, with pipes or a terminal of the test's; the test plays the monitor.
#include "engine/attach.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include <csignal>
#include <cstring>
#include <functional>

#include "engine/detach_keys.h"
#include "engine/monitor/attach_server.h"
#include "fake_monitor.h"

namespace knarr::engine {
namespace {

using monitor::FrameType;

constexpr std::int32_t seven = 7;
const std::string exit_seven(reinterpret_cast<const char*>(&seven), sizeof seven);

// A client process whose standard streams are `stdio`.
class Client {
 public:
  struct Setup {
    int stdio[3] = {-1, -1, -1};  // borrowed; -1: closed
    bool terminal = false;        // of the container
    bool session = false;         // a session of its own, fd 0 its terminal
    std::string detach_keys;
    int init_pid_fd = -1;
    std::function<void()> prepare;  // in the process, before it attaches
  };

  explicit Client(const Setup& setup) : monitor_(sys::UniqueFd()) {
    sys::SocketPair pair = sys::make_socket_pair(SOCK_SEQPACKET);
    sys::Pipe result = sys::make_pipe();
    pid_ = sys::fork_child([&] {
      arrange(setup);
      // The test's ends of its pipes were inherited, and would keep them from ending.
      for (int fd = 3; fd < 256; ++fd) {
        if (fd != pair.second.get() && fd != result.write.get() && fd != setup.init_pid_fd) ::close(fd);
      }
      AttachRequest request;
      request.socket = std::move(pair.second);
      request.terminal = setup.terminal;
      request.detach_sequence = parse_detach_keys(setup.detach_keys);
      request.init_pid_fd = setup.init_pid_fd;
      const AttachResult reached = attach(std::move(request));
      return ::write(result.write.get(), &reached, sizeof reached) == sizeof reached ? 0 : 1;
    });
    result_ = std::move(result.read);
    monitor_ = Peer(std::move(pair.first));
  }
  ~Client() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    sys::wait_child(pid_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Peer& monitor() { return monitor_; }
  pid_t pid() const { return pid_; }

  sys::ExitStatus wait() { return sys::wait_child(std::exchange(pid_, -1)); }
  AttachResult result() {
    const sys::ExitStatus status = wait();
    EXPECT_EQ(status.code, 0);
    AttachResult reached{AttachResult::End::monitor_lost, -1};
    EXPECT_EQ(::read(result_.get(), &reached, sizeof reached), static_cast<ssize_t>(sizeof reached));
    return reached;
  }

 private:
  static void arrange(const Setup& setup) {
    int moved[3];
    for (int i = 0; i < 3; ++i)
      moved[i] = setup.stdio[i] < 0 ? -1 : ::fcntl(setup.stdio[i], F_DUPFD_CLOEXEC, 100);
    for (int i = 0; i < 3; ++i) {
      if (moved[i] < 0) {
        ::close(i);
      } else {
        ::dup2(moved[i], i);
        ::close(moved[i]);
      }
    }
    if (setup.session) {
      ::setsid();
      ::ioctl(0, TIOCSCTTY, 0);
    }
    if (setup.prepare) setup.prepare();
  }

  Peer monitor_;
  pid_t pid_ = -1;
  sys::UniqueFd result_;
};

struct Terminal {
  Terminal() {
    int ends[2];
    const winsize size{24, 80, 0, 0};
    if (::openpty(&ends[0], &ends[1], nullptr, nullptr, &size) < 0) throw_errno("openpty");
    for (const int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    master.reset(ends[0]);
    slave.reset(ends[1]);
  }
  bool is_raw() const {
    termios modes{};
    ::tcgetattr(slave.get(), &modes);
    return !(modes.c_lflag & ICANON) && !(modes.c_lflag & ISIG);
  }
  Client::Setup setup() const {
    return {.stdio = {slave.get(), slave.get(), slave.get()}, .terminal = true, .session = true};
  }
  void type(std::string_view keys) { sys::write_all(master.get(), keys, "terminal"); }
  sys::UniqueFd master, slave;
};

std::string read_some(int fd) {
  char buffer[65536];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  return {buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::string read_bytes(int fd, std::size_t count) {
  std::string text;
  while (text.size() < count) {
    const std::string more = read_some(fd);
    if (more.empty()) break;
    text += more;
  }
  return text;
}

// The next frame that is no news of the window's size.
Frame next_frame(Peer& monitor) {
  for (;;) {
    auto frame = monitor.receive();
    if (!frame) return {static_cast<FrameType>(0), "hung up"};
    if (frame->type != FrameType::resize) return *frame;
  }
}

// ---- pipes ----

class AttachTest : public ::testing::Test {
 protected:
  Client::Setup pipes() { return {.stdio = {input_.read.get(), output_.write.get(), error_.write.get()}}; }
  sys::Pipe input_ = sys::make_pipe(), output_ = sys::make_pipe(), error_ = sys::make_pipe();
};

TEST_F(AttachTest, OutputAndErrorGoWhereTheyBelongAndTheExitCodeComesBack) {
  Client client(pipes());
  client.monitor().send(FrameType::output, "out");
  client.monitor().send(FrameType::error, "err");
  client.monitor().send(FrameType::exited, exit_seven);
  const AttachResult result = client.result();
  EXPECT_EQ(result.end, AttachResult::End::exited);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(read_some(output_.read.get()), "out");
  EXPECT_EQ(read_some(error_.read.get()), "err");
}

TEST_F(AttachTest, InputIsSentAndItsEndToo) {
  Client client(pipes());
  sys::write_all(input_.write.get(), "typed", "input");
  EXPECT_EQ(next_frame(client.monitor()).payload, "typed");
  input_.write.reset();
  EXPECT_EQ(next_frame(client.monitor()).type, FrameType::input_end);
  client.monitor().send(FrameType::exited, exit_seven);
  EXPECT_EQ(client.result().exit_code, 7);
}

TEST_F(AttachTest, AClosedInputIsAnInputAtItsEnd) {
  Client::Setup setup = pipes();
  setup.stdio[0] = -1;
  Client client(setup);
  EXPECT_EQ(next_frame(client.monitor()).type, FrameType::input_end);
  client.monitor().send(FrameType::exited, exit_seven);
  EXPECT_EQ(client.result().exit_code, 7);
}

TEST_F(AttachTest, AClosedOutputIsLikeDevNull) {
  Client::Setup setup = pipes();
  setup.stdio[1] = -1;
  Client client(setup);
  client.monitor().send(FrameType::output, "lost");
  client.monitor().send(FrameType::error, "err");
  client.monitor().send(FrameType::exited, exit_seven);
  EXPECT_EQ(client.result().exit_code, 7);
  EXPECT_EQ(read_some(error_.read.get()), "err");
}

TEST_F(AttachTest, AnOutputThatNobodyReadsAnyMoreEndsTheClientAlone) {
  Client client(pipes());
  output_.read.reset();
  client.monitor().send(FrameType::output, "x");
  EXPECT_EQ(client.result().end, AttachResult::End::output_closed);
}

TEST_F(AttachTest, AMonitorThatGoesWithoutAWordIsReported) {
  Client client(pipes());
  client.monitor().send(FrameType::output, "last");
  client.monitor().hang_up();
  EXPECT_EQ(client.result().end, AttachResult::End::monitor_lost);
  EXPECT_EQ(read_some(output_.read.get()), "last");
}

TEST_F(AttachTest, TheLastFramesOfAMonitorThatLeftInputUnreadStillCount) {
  Client client(pipes());
  sys::write_all(input_.write.get(), "never read", "input");
  pollfd arrived{client.monitor().fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&arrived, 1, 10'000), 1);
  client.monitor().send(FrameType::output, "last");
  client.monitor().send(FrameType::exited, exit_seven);
  client.monitor().hang_up();
  EXPECT_EQ(client.result().exit_code, 7);
  EXPECT_EQ(read_some(output_.read.get()), "last");
}

TEST_F(AttachTest, LargeOutputToAFullPipeArrivesWhole) {
  Client client(pipes());
  std::string all;
  const pid_t monitor = sys::fork_child([&] {
    for (int i = 0; i < 200; ++i) {
      client.monitor().send(FrameType::output,
                            std::string(monitor::max_frame, static_cast<char>('a' + i % 26)));
    }
    client.monitor().send(FrameType::exited, exit_seven);
    return 0;
  });
  const std::size_t total = 200 * monitor::max_frame;
  const std::string got = read_bytes(output_.read.get(), total);
  ASSERT_EQ(got.size(), total);
  for (std::size_t i = 0; i < total; ++i) {
    ASSERT_EQ(got[i], static_cast<char>('a' + i / monitor::max_frame % 26)) << i;
  }
  EXPECT_EQ(sys::wait_child(monitor).code, 0);
  EXPECT_EQ(client.result().exit_code, 7);
}

TEST_F(AttachTest, SharedDescriptorsKeepTheirFlags) {
  // Blocking and non-blocking ones: both belong to others as well.
  ::fcntl(output_.write.get(), F_SETFL, O_NONBLOCK);
  const int input_flags = ::fcntl(input_.read.get(), F_GETFL);
  const int output_flags = ::fcntl(output_.write.get(), F_GETFL);
  Client client(pipes());
  const pid_t monitor = sys::fork_child([&] {
    for (int i = 0; i < 20; ++i) client.monitor().send(FrameType::output, std::string(10'000, 'x'));
    client.monitor().send(FrameType::exited, exit_seven);
    return 0;
  });
  EXPECT_EQ(read_bytes(output_.read.get(), 200'000), std::string(200'000, 'x'));
  EXPECT_EQ(sys::wait_child(monitor).code, 0);
  EXPECT_EQ(client.result().exit_code, 7);
  EXPECT_EQ(::fcntl(input_.read.get(), F_GETFL), input_flags);
  EXPECT_EQ(::fcntl(output_.write.get(), F_GETFL), output_flags);
}

TEST_F(AttachTest, OutputToAFileAndASocketArrivesWhole) {
  const TempDir directory;
  const sys::UniqueFd file = sys::open_at(AT_FDCWD, directory / "out", O_RDWR | O_CREAT, 0600);
  sys::SocketPair socket = sys::make_socket_pair(SOCK_STREAM);
  Client client({.stdio = {-1, file.get(), socket.first.get()}});
  client.monitor().send(FrameType::output, std::string(30'000, 'o'));
  client.monitor().send(FrameType::error, std::string(30'000, 'e'));
  client.monitor().send(FrameType::exited, exit_seven);
  EXPECT_EQ(client.result().exit_code, 7);
  EXPECT_EQ(directory.read("out"), std::string(30'000, 'o'));
  EXPECT_EQ(read_bytes(socket.second.get(), 30'000), std::string(30'000, 'e'));
}

TEST_F(AttachTest, AFullDiskIsAnErrorThatSaysSo) {
  const sys::UniqueFd full = sys::open_at(AT_FDCWD, "/dev/full", O_WRONLY);
  Client client({.stdio = {-1, full.get(), error_.write.get()}});
  client.monitor().send(FrameType::output, "x");
  EXPECT_EQ(client.wait().code, 125);
  EXPECT_EQ(read_some(error_.read.get()), "Error: writing the container's output: no space left on device\n");
}

TEST_F(AttachTest, WithoutATerminalDetachKeysAreBytesLikeAnyOther) {
  Client::Setup setup = pipes();
  setup.detach_keys = default_detach_keys;
  Client client(setup);
  sys::write_all(input_.write.get(), "\x10\x11", "input");
  EXPECT_EQ(next_frame(client.monitor()).payload, "\x10\x11");
}

TEST_F(AttachTest, NobodyListeningIsAConflict) {
  const TempDir directory;
  AttachRequest request;
  request.run_directory = directory.path();
  EXPECT_THROW(attach(std::move(request)), Conflict);
  AttachRequest missing;
  missing.run_directory = directory / "missing";
  EXPECT_THROW(attach(std::move(missing)), Conflict);
}

TEST_F(AttachTest, ConnectsToAMonitorHoweverLongThePath) {
  const TempDir directory;
  const std::string deep = directory.path() + "/" + std::string(100, 'd') + "/" + std::string(100, 'e');
  sys::make_directories(AT_FDCWD, deep, 0700);
  const sys::UniqueFd fd = sys::open_directory(AT_FDCWD, deep);
  monitor::AttachServer server(fd.get());
  const pid_t client = sys::fork_child([&] {
    AttachRequest request;
    request.run_directory = deep;
    request.input_fd = -1;
    return attach(std::move(request)).exit_code;
  });
  pollfd waiting{server.listening_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
  server.accept_clients();
  server.post(FrameType::exited, exit_seven);
  EXPECT_EQ(sys::wait_child(client).code, 7);
}

// ---- signals ----

// Stands for a container's init: exits with 40 + n on SIGUSR1 (1) or SIGTERM (2).
class FakeInit {
 public:
  FakeInit() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGUSR1);
    ::sigaddset(&set, SIGTERM);
    sigset_t old;
    ::sigprocmask(SIG_BLOCK, &set, &old);
    pid_ = sys::fork_child([&] {
      int signal = 0;
      ::sigwait(&set, &signal);
      return signal == SIGUSR1 ? 41 : 42;
    });
    ::sigprocmask(SIG_SETMASK, &old, nullptr);
    pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  int pid_fd() const { return pid_fd_.get(); }
  int wait() { return sys::wait_child(pid_).code; }

 private:
  pid_t pid_;
  sys::UniqueFd pid_fd_;
};

// A frame that has come through tells that the client is past its preparations.
void await_attached(Client& client, const sys::Pipe& output) {
  client.monitor().send(FrameType::output, "!");
  EXPECT_EQ(read_some(output.read.get()), "!");
}

TEST_F(AttachTest, SignalsAreForwardedToInit) {
  for (const auto& [signal, code] : {std::pair(SIGUSR1, 41), std::pair(SIGTERM, 42)}) {
    FakeInit init;
    Client::Setup setup = pipes();
    setup.init_pid_fd = init.pid_fd();
    Client client(setup);
    await_attached(client, output_);
    ::kill(client.pid(), signal);
    EXPECT_EQ(init.wait(), code);
    client.monitor().send(FrameType::exited, exit_seven);
    EXPECT_EQ(client.result().exit_code, 7);
  }
}

TEST_F(AttachTest, WithoutForwardingASignalEndsTheClient) {
  Client client(pipes());
  await_attached(client, output_);
  ::kill(client.pid(), SIGTERM);
  EXPECT_EQ(client.wait().signal, SIGTERM);
}

TEST_F(AttachTest, ASignalThatTheCallerIgnoresStaysIgnored) {
  FakeInit init;
  Client::Setup setup = pipes();
  setup.init_pid_fd = init.pid_fd();
  setup.prepare = [] { ::signal(SIGTERM, SIG_IGN); };
  Client client(setup);
  await_attached(client, output_);
  ::kill(client.pid(), SIGTERM);
  ::kill(client.pid(), SIGUSR1);
  EXPECT_EQ(init.wait(), 41);
}

TEST_F(AttachTest, SignalsAreServedWhileNobodyReadsTheOutput) {
  Client client(pipes());
  await_attached(client, output_);
  for (int i = 0; i < 4; ++i) client.monitor().send(FrameType::output, std::string(monitor::max_frame, 'x'));
  pollfd full{output_.write.get(), POLLOUT, 0};
  while (::poll(&full, 1, 0) > 0) ::poll(nullptr, 0, 1);
  ::kill(client.pid(), SIGTERM);
  EXPECT_EQ(client.wait().signal, SIGTERM);
}

// ---- a terminal ----

TEST(AttachTerminalTest, IsRawWhileAttachedAndAsBeforeAfterwards) {
  Terminal terminal;
  Client client(terminal.setup());
  EXPECT_EQ(client.monitor().receive()->payload, frame_of_size(24, 80));
  EXPECT_TRUE(terminal.is_raw());
  terminal.type("\x03\x1a");  // Ctrl-C and Ctrl-Z are the container's
  EXPECT_EQ(next_frame(client.monitor()).payload.substr(0, 1), "\x03");
  client.monitor().send(FrameType::exited, exit_seven);
  EXPECT_EQ(client.result().exit_code, 7);
  EXPECT_FALSE(terminal.is_raw());
}

TEST(AttachTerminalTest, IsAsBeforeAfterASignalKilledTheClient) {
  Terminal terminal;
  Client client(terminal.setup());
  client.monitor().receive();
  ASSERT_TRUE(terminal.is_raw());
  ::kill(client.pid(), SIGTERM);
  EXPECT_EQ(client.wait().signal, SIGTERM);
  EXPECT_FALSE(terminal.is_raw());
}

TEST(AttachTerminalTest, IsAsBeforeAfterAnErrorAndALostMonitor) {
  Terminal terminal;
  Client client(terminal.setup());
  client.monitor().receive();
  client.monitor().hang_up();
  EXPECT_EQ(client.result().end, AttachResult::End::monitor_lost);
  EXPECT_FALSE(terminal.is_raw());
}

TEST(AttachTerminalTest, StaysCookedForAContainerWithoutATerminal) {
  Terminal terminal;
  Client::Setup setup = terminal.setup();
  setup.terminal = false;
  Client client(setup);
  terminal.type("line\n");
  EXPECT_EQ(client.monitor().receive()->payload, "line\n");
  EXPECT_FALSE(terminal.is_raw());
  terminal.type("\x04");
  EXPECT_EQ(client.monitor().receive()->type, FrameType::input_end);
}

TEST(AttachTerminalTest, ANewSizeIsSentOn) {
  Terminal terminal;
  Client client(terminal.setup());
  EXPECT_EQ(client.monitor().receive()->payload, frame_of_size(24, 80));
  const winsize size{50, 132, 0, 0};
  ::ioctl(terminal.master.get(), TIOCSWINSZ, &size);
  EXPECT_EQ(client.monitor().receive()->payload, frame_of_size(50, 132));
}

TEST(AttachTerminalTest, TheDetachKeysLeaveTheContainerRunning) {
  Terminal terminal;
  Client::Setup setup = terminal.setup();
  setup.detach_keys = default_detach_keys;
  Client client(setup);
  client.monitor().receive();
  terminal.type("a\x10");
  EXPECT_EQ(next_frame(client.monitor()).payload, "a");
  terminal.type("\x11");
  EXPECT_EQ(client.result().end, AttachResult::End::detached);
  EXPECT_FALSE(client.monitor().receive()) << "neither the keys nor an end of input may reach the container";
  EXPECT_FALSE(terminal.is_raw());
}

TEST(AttachTerminalTest, AnOutputThatClosesDoesNotLeaveTheTerminalRaw) {
  Terminal terminal;
  sys::Pipe output = sys::make_pipe();
  Client::Setup setup = terminal.setup();
  setup.stdio[1] = output.write.get();
  Client client(setup);
  client.monitor().receive();
  ASSERT_TRUE(terminal.is_raw());
  output.read.reset();
  output.write.reset();
  client.monitor().send(FrameType::output, "x");
  EXPECT_EQ(client.result().end, AttachResult::End::output_closed);
  EXPECT_FALSE(terminal.is_raw());
}

// A shell with job control: the client is one of its jobs, in the background first.
TEST(AttachTerminalTest, InTheBackgroundItLeavesTheTerminalAloneUntilItIsBroughtForward) {
  Terminal terminal;
  sys::Pipe output = sys::make_pipe(), bring_forward = sys::make_pipe();
  const sys::SocketPair pair = sys::make_socket_pair(SOCK_SEQPACKET);
  const pid_t shell = sys::fork_child([&] {
    ::setsid();
    ::ioctl(terminal.slave.get(), TIOCSCTTY, 0);
    ::signal(SIGTTOU, SIG_IGN);
    const pid_t job = ::fork();
    if (job == 0) {
      ::setpgid(0, 0);
      ::signal(SIGTTOU, SIG_DFL);
      AttachRequest request;
      request.socket.reset(::fcntl(pair.second.get(), F_DUPFD_CLOEXEC, 3));
      request.input_fd = terminal.slave.get();
      request.output_fd = output.write.get();
      request.terminal = true;
      ::_exit(attach(std::move(request)).exit_code);
    }
    ::setpgid(job, job);
    read_some(bring_forward.read.get());
    ::tcsetpgrp(terminal.slave.get(), job);
    ::kill(-job, SIGCONT);
    int status = 0;
    ::waitpid(job, &status, WUNTRACED);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
  });
  Peer monitor(sys::UniqueFd(::fcntl(pair.first.get(), F_DUPFD_CLOEXEC, 3)));
  terminal.type("for the shell\n");
  monitor.send(FrameType::output, "still comes");
  EXPECT_EQ(read_some(output.read.get()), "still comes");
  EXPECT_FALSE(terminal.is_raw());

  sys::write_all(bring_forward.write.get(), "x", "shell");
  EXPECT_EQ(next_frame(monitor).payload, "for the shell\n");
  EXPECT_TRUE(terminal.is_raw());
  monitor.send(FrameType::exited, exit_seven);
  EXPECT_EQ(sys::wait_child(shell).code, 7);
}

}  // namespace
}  // namespace knarr::engine
