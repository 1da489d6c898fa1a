// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/support/temporary_directory.h"

namespace knarr::sys {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// A child that lives until it is released, killed or forgotten.
class Sleeper {
 public:
  explicit Sleeper(const char* name = "sleeper") {
    Pipe ready = make_pipe();
    pid_ = fork_child([&] {
      ready.read.reset();
      hold_.write.reset();
      ::prctl(PR_SET_NAME, name);
      write_all(ready.write.get(), "r", "the pipe");
      ready.write.reset();
      char byte;
      return static_cast<int>(::read(hold_.read.get(), &byte, 1));
    });
    ready.write.reset();
    char byte;
    if (::read(ready.read.get(), &byte, 1) != 1) throw Error("the child did not start");
  }
  ~Sleeper() {
    if (pid_ > 0) finish();
  }
  pid_t pid() const { return pid_; }
  void release() { hold_.write.reset(); }  // it exits; it is a zombie until finish()
  ExitStatus finish() {
    release();
    return wait_child(std::exchange(pid_, -1));
  }

 private:
  Pipe hold_ = make_pipe();
  pid_t pid_ = -1;
};

// What a child prints on standard error, and its status.
struct ChildOutput {
  ExitStatus status;
  std::string errors;
};
ChildOutput run_child(const std::function<int()>& child) {
  Pipe pipe = make_pipe();
  const int saved = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  ::dup2(pipe.write.get(), STDERR_FILENO);
  const pid_t pid = fork_child(child);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  pipe.write.reset();
  std::string errors = read_all(pipe.read.get(), "standard error");
  return {wait_child(pid), std::move(errors)};
}

// ---- identity ----

TEST(ProcessIdentity, IsStableWhileTheProcessLives) {
  const Sleeper sleeper;
  const ProcessId id = identify(sleeper.pid());
  EXPECT_EQ(identify(sleeper.pid()), id);
  EXPECT_TRUE(is_alive(id));
  EXPECT_TRUE(open_process(id));
}

TEST(ProcessIdentity, SurvivesANameMadeToConfuseTheParser) {
  const Sleeper plain;
  const Sleeper odd(") R 1 2 (3 4");
  EXPECT_TRUE(is_alive(identify(odd.pid())));
  // Both started within the same few ticks of the clock.
  EXPECT_LT(identify(odd.pid()).start_time - identify(plain.pid()).start_time, 100u);
}

TEST(ProcessIdentity, AnotherStartTimeIsAnotherProcess) {
  const Sleeper sleeper;
  ProcessId earlier = identify(sleeper.pid());
  --earlier.start_time;
  EXPECT_FALSE(is_alive(earlier));
  EXPECT_FALSE(open_process(earlier));
}

TEST(ProcessIdentity, AZombieCountsAsGone) {
  Sleeper sleeper;
  const ProcessId id = identify(sleeper.pid());
  const UniqueFd pid_fd = open_process(id);
  sleeper.release();
  ASSERT_TRUE(wait_process(pid_fd.get(), -1));
  EXPECT_FALSE(is_alive(id));
  EXPECT_FALSE(open_process(id));
  EXPECT_THROW(identify(id.pid), NotFound);
}

TEST(ProcessIdentity, AReapedProcessIsGone) {
  Sleeper sleeper;
  const ProcessId id = identify(sleeper.pid());
  sleeper.finish();
  EXPECT_FALSE(is_alive(id));
  EXPECT_FALSE(open_process(id));
}

TEST(ProcessIdentity, NumbersThatAreNoPidsBelongToNobody) {
  for (const pid_t pid : {0, -1, -1000}) {
    EXPECT_EQ(process_start_time(pid), std::nullopt);
    EXPECT_FALSE(is_alive({pid, 0}));
    EXPECT_FALSE(open_process({pid, 0}));
  }
}

// ---- forking ----

TEST(ForkChild, TheResultIsTheExitStatus) {
  EXPECT_EQ(wait_child(fork_child([] { return 42; })).code, 42);
}

TEST(ForkChild, AnExceptionIsPrintedWithItsHintAndExits125) {
  const ChildOutput output = run_child([]() -> int {
    Error error("mounting the moon");
    error.set_hint("wait for the night");
    throw error;
  });
  EXPECT_EQ(output.status.code, 125);
  EXPECT_EQ(output.errors, "Error: mounting the moon\nhint: wait for the night\n");
}

TEST(ForkChild, DestructorsOfTheCallersFramesDoNotRunInTheChild) {
  Pipe pipe = make_pipe();
  struct Noisy {
    int fd;
    ~Noisy() { write_all(fd, "d", "the pipe"); }
  };
  {
    const Noisy noisy{pipe.write.get()};
    EXPECT_EQ(wait_child(fork_child([] { return 0; })).code, 0);
  }
  pipe.write.reset();
  EXPECT_EQ(read_all(pipe.read.get(), "the pipe"), "d");  // the parent's alone
}

TEST(ForkChild, RefusesAProcessWithThreads) {
  Pipe hold = make_pipe();
  std::thread thread([&] {
    char byte;
    [[maybe_unused]] const ssize_t got = ::read(hold.read.get(), &byte, 1);
  });
  EXPECT_THROW(fork_child([] { return 0; }), Error);
  hold.write.reset();
  thread.join();
  EXPECT_EQ(wait_child(fork_child([] { return 0; })).code, 0);
}

TEST(WaitStatus, IsWhatAShellSees) {
  EXPECT_EQ(wait_child(fork_child([] { return 255; })).code, 255);
  const ExitStatus killed = wait_child(fork_child([]() -> int {
    ::raise(SIGTERM);
    return 0;
  }));
  EXPECT_EQ(killed.code, 143);
  EXPECT_EQ(killed.signal, SIGTERM);
}

// ---- commands ----

CommandResult run_shell(const std::string& script, const std::vector<std::string>& env = {}) {
  return run_command({"/bin/sh", "-c", script}, env);
}

TEST(RunCommand, TellsTheStatusAndStandardError) {
  const CommandResult result = run_shell("echo out; echo 'went wrong' >&2; exit 3");
  EXPECT_EQ(result.status.code, 3);
  EXPECT_EQ(result.errors, "went wrong");
}

TEST(RunCommand, GivesExactlyTheEnvironmentAsked) {
  EXPECT_EQ(run_shell("/usr/bin/env >&2", {"ONE=1", "PATH=/x"}).errors.find("HOME="), std::string::npos);
  EXPECT_THAT(run_command({"/usr/bin/env", "sh", "-c", "echo $ONE >&2"}, {"ONE=1", "PATH=/bin"}).errors, "1");
}

TEST(RunCommand, PassesArgumentsThatAShellWouldSplit) {
  EXPECT_EQ(run_command({"/bin/sh", "-c", "echo \"$1\" >&2", "sh", "a b'\"$c"}, {}).errors, "a b'\"$c");
}

TEST(RunCommand, AMissingProgramIsNamed) {
  try {
    run_command({"/nowhere/program"}, {});
    FAIL();
  } catch (const SysError& error) {
    EXPECT_STREQ(error.what(), "running /nowhere/program: no such file or directory");
    EXPECT_EQ(error.code(), ENOENT);
  }
}

TEST(RunCommand, RefusesToSearchForAProgram) {
  EXPECT_THROW(run_command({"sh", "-c", "true"}, {}), InvalidArgument);
  EXPECT_THROW(run_command({}, {}), InvalidArgument);
}

TEST(RunCommand, KeepsFourKibibytesAndNeverBlocksTheWriter) {
  const CommandResult result =
      run_shell("head -c 1000000 /dev/zero | tr '\\0' e >&2", {"PATH=/usr/bin:/bin"});
  EXPECT_EQ(result.status.code, 0);
  EXPECT_EQ(result.errors, std::string(4096, 'e'));
}

TEST(RunCommand, DoesNotWaitForADescendantThatKeepsStandardErrorOpen) {
  const CommandResult result = run_shell("sleep 1000 & echo $! >&2", {"PATH=/usr/bin:/bin"});
  const pid_t daemon = std::stoi(result.errors);
  EXPECT_TRUE(is_alive(identify(daemon)));  // so its end is not what ended the wait
  ::kill(daemon, SIGKILL);
}

TEST(RunCommand, TheProgramStartsWithDefaultSignalsAndAnEmptyMask) {
  const pid_t child = fork_child([] {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    const std::string status =
        run_command({"/bin/grep", "-E", "^Sig(Blk|Ign):\\s*0+$", "/proc/self/status", "-c"}, {})
                    .status.code == 0
            ? "ok"
            : "";
    return status == "ok" ? 0 : 1;
  });
  EXPECT_EQ(wait_child(child).code, 0);
}

TEST(RunCommand, LeaksNoDescriptor) {
  const UniqueFd open_here = open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  const CommandResult result = run_shell("echo /proc/self/fd/* >&2");
  EXPECT_THAT(result.errors, Not(HasSubstr("/fd/" + std::to_string(open_here.get()) + " ")));
}

TEST(StartCommand, TwoRunSideBySide) {
  test::TemporaryDirectory dir;
  const std::vector<std::string> env{"PATH=/usr/bin:/bin"};
  ASSERT_EQ(::mkfifo(dir.path("fifo").c_str(), 0600), 0);
  // Each end of a fifo waits for the other, so one after the other would never end.
  StartedCommand reader = start_command({"/bin/sh", "-c", "cat " + dir.path("fifo") + " >&2"}, env);
  StartedCommand writer = start_command({"/bin/sh", "-c", "echo met > " + dir.path("fifo")}, env);
  EXPECT_EQ(finish_command(std::move(reader)).errors, "met");
  EXPECT_EQ(finish_command(std::move(writer)).status.code, 0);
}

FilterResult filter_shell(const std::string& script, std::string_view input, std::size_t limit = 1u << 20) {
  return run_filter({"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, input, limit);
}

TEST(RunFilter, FeedsTheInputAndTellsOutputErrorsAndStatus) {
  const FilterResult result = filter_shell("tr a-z A-Z; echo 'went wrong' >&2; exit 3", "some\ntext\n");
  EXPECT_EQ(result.output, "SOME\nTEXT\n");
  EXPECT_EQ(result.errors, "went wrong");
  EXPECT_EQ(result.status.code, 3);
}

TEST(RunFilter, MoreThanAPipeHoldsGoesThrough) {
  const std::string input(300'000, 'x');
  EXPECT_EQ(filter_shell("cat", input).output, input);
}

TEST(RunFilter, AProgramNeedNotReadItsInput) {
  EXPECT_EQ(filter_shell("echo done", std::string(300'000, 'x')).output, "done\n");
}

TEST(RunFilter, AnAnswerOverTheLimitIsAnError) {
  EXPECT_EQ(filter_shell("printf 12345", "", 5).output, "12345");
  try {
    filter_shell("head -c 1000000 /dev/zero", "", 5);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "/bin/sh wrote more than 5 bytes");
  }
}

// ---- pidfds, pipes, sockets ----

TEST(WaitProcess, TimesOutWhileTheProcessLives) {
  const Sleeper sleeper;
  const UniqueFd pid_fd = open_process(identify(sleeper.pid()));
  EXPECT_FALSE(wait_process(pid_fd.get(), 0));
  EXPECT_FALSE(wait_process(pid_fd.get(), 10));
}

TEST(WaitProcess, SeesTheEnd) {
  Sleeper sleeper;
  const UniqueFd pid_fd = open_process(identify(sleeper.pid()));
  sleeper.release();
  EXPECT_TRUE(wait_process(pid_fd.get(), 60'000));
}

TEST(SendSignal, ReachesTheProcessAndTellsWhenItIsGone) {
  Sleeper sleeper;
  const UniqueFd pid_fd = open_process(identify(sleeper.pid()));
  EXPECT_TRUE(send_signal(pid_fd.get(), SIGTERM));
  EXPECT_EQ(sleeper.finish().signal, SIGTERM);
  EXPECT_FALSE(send_signal(pid_fd.get(), SIGTERM));
}

TEST(SendSignal, ThrowsForANumberThatIsNoSignal) {
  const Sleeper sleeper;
  const UniqueFd pid_fd = open_process(identify(sleeper.pid()));
  EXPECT_THROW(send_signal(pid_fd.get(), 1000), SysError);
}

TEST(Pipes, AreClosedOnExec) {
  const Pipe pipe = make_pipe();
  const SocketPair sockets = make_socket_pair(SOCK_SEQPACKET);
  for (const int fd : {pipe.read.get(), pipe.write.get(), sockets.first.get(), sockets.second.get()}) {
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
}

}  // namespace
}  // namespace knarr::sys
