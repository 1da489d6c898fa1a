// SPDX-License-Identifier: Apache-2.0
// The pump between descriptors of the test's and a child process that plays the container's.
#include "engine/pump.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

#include <csignal>
#include <string>

#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine {
namespace {

// A shell script in a process of its own.
struct Child {
  Child(const char* script, int in, int out, int session_fd = -1) {
    pid = sys::fork_child([&] {
      sigset_t none;
      ::sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      if (session_fd >= 0) ::login_tty(session_fd);
      if (in >= 0) ::dup2(in, 0);
      if (out >= 0) ::dup2(out, 1);
      ::execl("/bin/sh", "sh", "-c", script, nullptr);
      return 127;
    });
    pid_fd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }
  ~Child() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    sys::wait_child(pid);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  sys::ExitStatus wait() { return sys::wait_child(std::exchange(pid, -1)); }

  pid_t pid = -1;
  sys::UniqueFd pid_fd;
};

class Pump : public ::testing::Test {
 protected:
  Pump() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGWINCH}) ::sigaddset(&signals, signal);
    signal_fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC));
    ::sigaddset(&signals, SIGPIPE);
    ::sigprocmask(SIG_BLOCK, &signals, &old_mask_);
    ::alarm(30);  // a pump that hangs ends the test
  }
  ~Pump() override {
    ::alarm(0);
    sigset_t left;
    ::sigemptyset(&left);
    for (const int signal : {SIGTERM, SIGWINCH, SIGPIPE}) ::sigaddset(&left, signal);
    const timespec now{};
    while (::sigtimedwait(&left, nullptr, &now) > 0) {
    }
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }

  static sys::UniqueFd unnamed_file(std::string_view content = {}) {
    sys::UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_TRUE(file);
    sys::write_all(file.get(), content, "a test's file");
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
  }

  static std::string content(int fd) {
    std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  // `script` with pipes for what is copied: input_fd -1: /dev/null.
  PumpResult run(const char* script, int input_fd, int output_fd) {
    sys::Pipe in = sys::make_pipe();
    sys::Pipe out = sys::make_pipe();
    Child child(script, in.read.get(), out.write.get());
    in.read.reset();
    out.write.reset();
    PumpStreams streams;
    if (input_fd >= 0) streams.input = {std::move(in.write), input_fd};
    in.write.reset();
    streams.output = {std::move(out.read), output_fd};
    const PumpResult result = pump_until_exit(std::move(streams), child.pid_fd.get(), signal_fd_.get());
    status_ = child.wait();
    return result;
  }

  // The same on a terminal of its own.
  PumpResult run_on_terminal(const char* script, int input_fd, int output_fd, const std::string& keys = {}) {
    int master = -1, slave = -1;
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    for (const int fd : {master, slave}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    Child child(script, -1, -1, slave);
    ::close(slave);
    sys::UniqueFd own(master);
    const PumpResult result =
        pump_terminal(own, input_fd, output_fd, child.pid_fd.get(), signal_fd_.get(), keys);
    status_ = child.wait();
    return result;
  }

  sys::UniqueFd signal_fd_;
  sys::ExitStatus status_;

 private:
  sigset_t old_mask_;
};

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

TEST_F(Pump, MegabytesPassThroughAProcessThatReadsAndWritesInTurn) {
  const std::string data(3 << 20, 'x');
  const sys::UniqueFd from = unnamed_file(data), to = unnamed_file();
  EXPECT_EQ(run("exec cat", from.get(), to.get()).output_error, 0);
  EXPECT_EQ(status_.code, 0);
  EXPECT_TRUE(content(to.get()) == data);
}

TEST_F(Pump, AProcessThatDoesNotReadStillGetsSignalsAndEnds) {
  const sys::UniqueFd from = unnamed_file(std::string(1 << 20, 'x')), to = unnamed_file();
  run("trap 'exit 33' TERM; kill -TERM $PPID; while :; do sleep 0.05; done", from.get(), to.get());
  EXPECT_EQ(status_.code, 33);
}

TEST_F(Pump, SignalsAreServedWhileNobodyReadsTheOutput) {
  const sys::Pipe user = sys::make_pipe();
  // The first one ends the process, the second one the waiting for whoever does not read.
  const pid_t pump = ::getpid();
  const pid_t sender = sys::fork_child([&] {
    pollfd full{user.write.get(), POLLOUT, 0};
    while (::poll(&full, 1, 0) == 1) ::usleep(10'000);
    for (;;) {
      ::kill(pump, SIGTERM);
      ::usleep(100'000);
    }
    return 0;
  });
  run("exec yes", -1, user.write.get());
  ::kill(sender, SIGKILL);
  sys::wait_child(sender);
  EXPECT_EQ(status_.signal, SIGTERM);
}

TEST_F(Pump, SharedDescriptorsDoNotBecomeNonBlocking) {
  const sys::Pipe in = sys::make_pipe(), out = sys::make_pipe();
  sys::write_all(in.write.get(), "hi\n", "a pipe");
  run("read line; echo $line", in.read.get(), out.write.get());
  for (const int fd : {in.read.get(), out.write.get()}) EXPECT_EQ(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  char text[8];
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(::read(out.read.get(), text, sizeof text))), "hi\n");
}

TEST_F(Pump, AFullDiskIsToldAndTheProcessFindsItsPipeClosed) {
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(run("exec echo hi", -1, full.get()).output_error, ENOSPC);
  EXPECT_EQ(run("exec yes", -1, full.get()).output_error, ENOSPC);
  EXPECT_EQ(status_.signal, SIGPIPE);
}

TEST_F(Pump, AReaderThatIsGoneIsNoError) {
  sys::Pipe user = sys::make_pipe();
  user.read.reset();
  EXPECT_EQ(run("exec yes", -1, user.write.get()).output_error, 0);
  EXPECT_EQ(status_.signal, SIGPIPE);
}

TEST_F(Pump, WhatAGrandchildWritesForEverIsNotWaitedFor) {
  const sys::UniqueFd to = unnamed_file();
  run("(trap '' TERM; timeout 20 yes) & echo first; exit 5", -1, to.get());
  EXPECT_EQ(status_.code, 5);
}

TEST_F(Pump, PipedInputOfATerminalEndsByTheEndOfFileCharacter) {
  for (const char* text : {"hi\n", "hi", ""}) {
    const sys::UniqueFd from = unnamed_file(text), to = unnamed_file();
    run_on_terminal("stty -echo; cat; echo after", from.get(), to.get());
    EXPECT_EQ(status_.code, 0);
    EXPECT_THAT(content(to.get()), ::testing::HasSubstr("after\r\n")) << text;
  }
}

TEST_F(Pump, MuchInputPassesThroughATerminal) {
  const std::string data = lines(30'000);
  const sys::UniqueFd from = unnamed_file(data), to = unnamed_file();
  run_on_terminal("cat", from.get(), to.get());
  EXPECT_EQ(status_.code, 0);
  const std::string shown = content(to.get());
  EXPECT_GE(shown.size(), 2 * data.size());  // the echo, too
  EXPECT_THAT(shown, ::testing::HasSubstr("line 29999\r\n"));
}

TEST_F(Pump, DetachKeysInAFileAreData) {
  const sys::UniqueFd from = unnamed_file("a\x10\x11z\n"), to = unnamed_file();
  const PumpResult result = run_on_terminal("cat >/dev/null", from.get(), to.get(), "\x10\x11");
  EXPECT_EQ(result.end, PumpResult::End::exited);
  EXPECT_EQ(status_.code, 0);
}

TEST_F(Pump, ATerminalWhoseOutputCannotBeWrittenIsHungUp) {
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(run_on_terminal("exec yes", -1, full.get()).output_error, ENOSPC);
  EXPECT_NE(status_.code, 0);
}

}  // namespace
}  // namespace knarr::engine
