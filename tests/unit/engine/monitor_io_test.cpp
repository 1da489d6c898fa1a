// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "engine/logs.h"
#include "engine/monitor/io.h"
#include "fake_monitor.h"

namespace knarr::engine {
namespace {

using monitor::FrameType;
using ::testing::HasSubstr;

// How often a process has waited for something.
unsigned long sleeps_of(pid_t pid) {
  constexpr std::string_view key = "\nvoluntary_ctxt_switches:";
  const auto status = sys::read_file_if_exists(AT_FDCWD, "/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = status ? status->find(key) : std::string::npos;
  return at == std::string::npos ? 0 : std::stoul(status->substr(at + key.size()));
}

class SupervisorTest : public ::testing::Test {
 protected:
  std::string logged(Stream stream = Stream::output) {
    std::string text;
    read_logs({.path = directory_ / "ctr.log"}, {}, [&](const LogEntry& entry) {
      if (entry.stream == stream) text.append(entry.text).append(entry.partial ? "" : "\n");
      return true;
    });
    return text;
  }
  // Lines "1" to `last`.
  static std::string numbers(int last) {
    std::string text;
    for (int i = 1; i <= last; ++i) text += std::to_string(i) + "\n";
    return text;
  }

  TempDir directory_;
};

TEST_F(SupervisorTest, OutputGoesToTheClientAndTheLogAndTheExitCodeComesLast) {
  FakeMonitor monitor(directory_, {.script = "echo out; echo err >&2; printf end; exit 3"});
  const auto seen = monitor.client().read_to_end();
  EXPECT_EQ(seen.output, "out\nend");
  EXPECT_EQ(seen.error, "err\n");
  EXPECT_EQ(seen.exit_code, 3);
  EXPECT_EQ(logged(), "out\nend");
  EXPECT_EQ(logged(Stream::error), "err\n");
}

TEST_F(SupervisorTest, ADeathBySignalIsAnExitCodeAsAShellSeesIt) {
  FakeMonitor monitor(directory_, {.script = "kill -9 $$"});
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 128 + 9);
}

TEST_F(SupervisorTest, AClientThatDoesNotReadStopsTheContainerAndLosesNothing) {
  FakeMonitor monitor(directory_, {.script = "seq 1 300000; touch '" + directory_ / "done" + "'"});
  await_file(directory_ / "ctr.log", 100'000);
  EXPECT_FALSE(directory_.has("done"));
  EXPECT_TRUE(monitor.client().read_to_end().output == numbers(300'000));
  EXPECT_TRUE(directory_.has("done"));
  EXPECT_TRUE(logged() == numbers(300'000));
}

TEST_F(SupervisorTest, AClientThatGoesAwayDoesNotStopTheContainer) {
  FakeMonitor monitor(directory_, {.script = "seq 1 300000"});
  await_file(directory_ / "ctr.log", 100'000);  // it is in the middle of a jam
  monitor.client().hang_up();
  monitor.wait();
  EXPECT_TRUE(logged() == numbers(300'000));
}

TEST_F(SupervisorTest, AFastClientWaitsForASlowOneAndBothGetEverything) {
  FakeMonitor monitor(directory_, {.script = "read go; seq 1 100000", .interactive = true});
  Peer second = Peer::connect(directory_.path());
  second.send(FrameType::input, "go\n");
  EXPECT_EQ(second.receive()->payload.substr(0, 4), "1\n2\n");
  // The monitor may be stuck with either; each is read in full after the other has had a first look.
  pid_t reader = sys::fork_child([&] {
    const auto seen = monitor.client().read_to_end();
    return seen.output == numbers(100'000) && seen.exit_code == 0 ? 0 : 1;
  });
  EXPECT_EQ(second.read_to_end().exit_code, 0);
  EXPECT_EQ(sys::wait_child(reader).code, 0);
}

TEST_F(SupervisorTest, AnExitIsRecordedWhileAClientDoesNotRead) {
  // More than the socket takes, less than the pipe.
  FakeMonitor monitor(directory_, {.script = "seq 1 18000", .small_socket = true});
  await_file(directory_ / "recorded");
  const auto seen = monitor.client().read_to_end();
  EXPECT_TRUE(seen.output == numbers(18'000));
  EXPECT_EQ(seen.exit_code, 0);
}

TEST_F(SupervisorTest, AProcessThatOutlivesInitWithItsPipeDoesNotDelayTheExit) {
  FakeMonitor monitor(directory_, {.script = "sleep 1000 & echo $!"});
  const auto seen = monitor.client().read_to_end();
  EXPECT_EQ(seen.exit_code, 0);
  ::kill(std::stoi(seen.output), SIGKILL);
}

TEST_F(SupervisorTest, AProcessThatFloodsThePipeAfterInitIsCutOff) {
  FakeMonitor monitor(directory_, {.script = "yes & echo $! >&2"});
  const auto seen = monitor.client().read_to_end();
  EXPECT_EQ(seen.exit_code, 0);
  ::kill(std::stoi(seen.error), SIGKILL);
}

TEST_F(SupervisorTest, AClosedOutputIsNotTheEnd) {
  FakeMonitor monitor(directory_, {.script = "exec >&- 2>&-; read line; exit 5", .interactive = true});
  monitor.client().send(FrameType::input, "go\n");
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 5);
}

TEST_F(SupervisorTest, ItsSignalsAreHandedOnToInit) {
  FakeMonitor monitor(directory_, {.script = "trap 'exit 7' TERM; echo ready; while :; do read x; done",
                                   .interactive = true});
  monitor.client().await_output("ready");
  ::kill(monitor.pid(), SIGTERM);
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 7);
}

TEST_F(SupervisorTest, ATimeoutKills) {
  FakeMonitor monitor(directory_, {.script = "exec sleep 1000", .timeout_seconds = 1});
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 255);
}

TEST_F(SupervisorTest, ATimeoutKillsHoweverMuchThereIsToDo) {
  FakeMonitor monitor(directory_, {.script = "exec sleep 1000", .timeout_seconds = 1});
  Peer second = Peer::connect(directory_.path());
  const pid_t talker = sys::fork_child([&] {
    try {
      while (true) second.send(FrameType::resize, "to nobody");
    } catch (const SysError&) {
      return 0;
    }
  });
  pollfd answer{monitor.client().fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&answer, 1, 10'000), 1);
  if (answer.revents == 0) ::kill(talker, SIGKILL);
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 255);
  sys::wait_child(talker);
}

TEST_F(SupervisorTest, ClientsThatThereIsNoDescriptorForWaitAndKeepNobodyBusy) {
  FakeMonitor monitor(directory_, {.script = "read line; echo served", .interactive = true});
  rlimit limit{}, low{};
  ASSERT_EQ(::prlimit(monitor.pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  low = {16, limit.rlim_max};
  ASSERT_EQ(::prlimit(monitor.pid(), RLIMIT_NOFILE, &low, nullptr), 0);
  std::vector<Peer> peers;
  for (int i = 0; i < 16; ++i) peers.push_back(Peer::connect(directory_.path()));
  // A loop that never sleeps never gives up the processor by itself.
  const unsigned long before = sleeps_of(monitor.pid());
  for (int i = 0; i < 2000 && sleeps_of(monitor.pid()) < before + 5; ++i) ::poll(nullptr, 0, 5);
  EXPECT_GE(sleeps_of(monitor.pid()), before + 5);

  ASSERT_EQ(::prlimit(monitor.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  peers.back().send(FrameType::input, "go\n");
  const auto seen = peers.back().read_to_end();
  EXPECT_EQ(seen.output, "served\n");
  EXPECT_EQ(seen.exit_code, 0);
}

// ---- input ----

TEST_F(SupervisorTest, InputEndsWithTheFirstClientsInput) {
  FakeMonitor monitor(directory_, {.script = "cat; echo end", .interactive = true, .stdin_once = true});
  monitor.client().send(FrameType::input, "hello\n");
  monitor.client().send(FrameType::input_end);
  EXPECT_EQ(monitor.client().read_to_end().output, "hello\nend\n");
}

TEST_F(SupervisorTest, InputEndsWhenTheFirstClientGoesAwayAndItsLastWordsCount) {
  FakeMonitor monitor(directory_,
                      {.script = "echo unread; cat; echo end", .interactive = true, .stdin_once = true});
  await_file(directory_ / "ctr.log", 1);  // so that the client leaves with something unread
  monitor.client().send(FrameType::input, "last words\n");
  monitor.client().hang_up();
  monitor.wait();
  EXPECT_EQ(logged(), "unread\nlast words\nend\n");
}

TEST_F(SupervisorTest, InputStaysOpenBetweenClientsWhenAskedTo) {
  FakeMonitor monitor(directory_, {.script = "read a; read b; echo $a$b", .interactive = true});
  monitor.client().send(FrameType::input, "first\n");
  monitor.client().send(FrameType::input_end);
  monitor.client().hang_up();
  Peer second = Peer::connect(directory_.path());
  second.send(FrameType::input, "second\n");
  EXPECT_EQ(second.read_to_end().output, "firstsecond\n");
}

TEST_F(SupervisorTest, LargeInputArrivesWhole) {
  FakeMonitor monitor(directory_, {.script = "wc -c", .interactive = true, .stdin_once = true});
  const std::string piece(monitor::max_frame, 'x');
  for (int i = 0; i < 100; ++i) monitor.client().send(FrameType::input, piece);
  monitor.client().send(FrameType::input_end);
  EXPECT_EQ(std::stoul(monitor.client().read_to_end().output), 100 * monitor::max_frame);
}

TEST_F(SupervisorTest, InputThatNobodyReadsHoldsUpNeitherOutputNorTheEnd) {
  FakeMonitor monitor(
      directory_, {.script = "while ! test -e '" + directory_ / "go" + "'; do sleep 0.01; done; seq 1 10000",
                   .interactive = true,
                   .stdin_once = true});
  const std::string piece(monitor::max_frame, 'x');
  for (int i = 0; i < 5; ++i) monitor.client().send(FrameType::input, piece);  // the pipe holds two
  sys::create_file(AT_FDCWD, directory_ / "go", "", 0600, sys::Durability::none);
  const auto seen = monitor.client().read_to_end();
  EXPECT_TRUE(seen.output == numbers(10'000));
  EXPECT_EQ(seen.exit_code, 0);
}

TEST_F(SupervisorTest, AClientThatLeavesWithUnreadInputIsForgotten) {
  FakeMonitor monitor(directory_,
                      {.script = "while ! test -e '" + directory_ / "go" + "'; do sleep 0.01; done; wc -c",
                       .interactive = true,
                       .stdin_once = true});
  const std::string piece(monitor::max_frame, 'x');
  for (int i = 0; i < 5; ++i) monitor.client().send(FrameType::input, piece);
  monitor.client().hang_up();
  sys::create_file(AT_FDCWD, directory_ / "go", "", 0600, sys::Durability::none);
  monitor.wait();
  EXPECT_EQ(std::stoul(logged()), 5 * monitor::max_frame);
}

TEST_F(SupervisorTest, WithoutAnInputWhatIsTypedIsDropped) {
  FakeMonitor monitor(directory_, {.script = "cat; echo end"});
  monitor.client().send(FrameType::input, "nobody hears this\n");
  EXPECT_EQ(monitor.client().read_to_end().output, "end\n");
}

TEST_F(SupervisorTest, FramesItDoesNotKnowAreSteppedOver) {
  FakeMonitor monitor(directory_, {.script = "cat", .interactive = true, .stdin_once = true});
  monitor.client().send(static_cast<FrameType>('?'), "from the future");
  monitor.client().send(FrameType::resize, "short");
  monitor.client().send(FrameType::input, "ok\n");
  monitor.client().send(FrameType::input_end);
  EXPECT_EQ(monitor.client().read_to_end().output, "ok\n");
}

// ---- terminals ----

TEST_F(SupervisorTest, ATerminalHasOneOutputAndTheClientsSize) {
  FakeMonitor monitor(directory_, {.script = "read x; stty size; echo err >&2", .terminal = true});
  monitor.client().send(FrameType::resize, frame_of_size(33, 77));
  monitor.client().send(FrameType::input, "\n");
  const auto seen = monitor.client().read_to_end();
  EXPECT_THAT(seen.output, HasSubstr("33 77\r\nerr\r\n"));
  EXPECT_EQ(seen.error, "");
  EXPECT_EQ(seen.exit_code, 0);
}

TEST_F(SupervisorTest, TheEndOfInputIsTypedIntoATerminal) {
  FakeMonitor monitor(directory_,
                      {.script = "cat; echo end", .terminal = true, .interactive = true, .stdin_once = true});
  monitor.client().send(FrameType::input, "line\n");
  monitor.client().send(FrameType::input_end);
  EXPECT_THAT(monitor.client().read_to_end().output, HasSubstr("end\r\n"));
}

TEST_F(SupervisorTest, ATerminalOutlivesAClientAndAProgramThatClosesIt) {
  FakeMonitor monitor(
      directory_,
      {.script =
           "exec 3</dev/null; read a; exec </dev/null >/dev/null 2>&1; exec </dev/tty >/dev/tty; echo back; "
           "read b; echo got $b",
       .terminal = true,
       .interactive = true,
       .stdin_once = true});
  monitor.client().send(FrameType::input, "x\n");
  monitor.client().await_output("back");
  monitor.client().hang_up();
  Peer second = Peer::connect(directory_.path());
  second.send(FrameType::input, "second\n");
  EXPECT_THAT(second.read_to_end().output, HasSubstr("got second"));
}

TEST_F(SupervisorTest, WhatATerminalShowedLastIsNotLost) {
  for (int i = 0; i < 20; ++i) {
    const TempDir directory;
    FakeMonitor monitor(directory, {.script = "seq 1 2000; printf last", .terminal = true});
    EXPECT_TRUE(monitor.client().read_to_end().output.ends_with("2000\r\nlast")) << i;
  }
}

// ---- who may attach ----

TEST_F(SupervisorTest, TheSocketIsTheUsersAndGoesAwayAtTheEnd) {
  FakeMonitor monitor(directory_, {.script = "read x", .interactive = true});
  const auto socket = sys::stat_at(AT_FDCWD, directory_ / "attach");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->st_mode & 0777, 0600u);
  monitor.client().send(FrameType::input, "\n");
  monitor.client().read_to_end();
  EXPECT_FALSE(directory_.has("attach"));
}

TEST_F(SupervisorTest, AStrangerIsTurnedAway) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  FakeMonitor monitor(directory_, {.script = "read x; exit 4", .interactive = true});
  // Open the doors that would stop a stranger before the check does.
  ::chmod(directory_.path().c_str(), 0755);
  ::chmod((directory_ / "attach").c_str(), 0666);
  const pid_t stranger = sys::fork_child([&] {
    if (::setuid(65534) != 0) return 2;
    Peer peer = Peer::connect(directory_.path());
    try {
      peer.send(FrameType::input, "let me in\n");
    } catch (const SysError&) {
    }
    return peer.receive() ? 1 : 0;
  });
  EXPECT_EQ(sys::wait_child(stranger).code, 0);
  monitor.client().send(FrameType::input, "\n");
  EXPECT_EQ(monitor.client().read_to_end().exit_code, 4);
}

}  // namespace
}  // namespace knarr::engine
