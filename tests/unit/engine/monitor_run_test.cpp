// SPDX-License-Identifier: Apache-2.0
// A whole monitor, with init, around a program of the host: no namespaces, no root file system of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <csignal>

#include "engine/monitor/plan.h"
#include "engine/monitor/protocol.h"
#include "engine/monitor/record_files.h"
#include "engine/time_format.h"
#include "fake_monitor.h"
#include "storage/container_store.h"

namespace knarr::engine::monitor {
namespace {

using Kind = StartReport::Kind;

void write_file(const char* path, const std::string& text) {
  sys::write_all(sys::open_at(AT_FDCWD, path, O_WRONLY).get(), text, path);
}

// What an ordinary user's monitor is in: a user namespace where it may do what init does.
void enter_user_namespace() {
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER) < 0) throw_errno("entering a user namespace");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + uid + " 1");
  write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    sys::make_directory(AT_FDCWD, run_directory_, 0700);
    sys::make_directory(AT_FDCWD, container_directory_, 0700);
    init_.has_root = false;
    init_.process.argv = argv_;
    init_.process.env = env_;
    init_.process.setgroups_allowed = ::geteuid() == 0;
    plan_.container_id = "1234";
    plan_.container_name = "web";
    plan_.run_directory = run_directory_.c_str();
    plan_.container_directory = container_directory_.c_str();
    plan_.log_path = log_path_.c_str();
    plan_.init = &init_;
  }
  ~RunTest() override {
    if (monitor_ <= 0) return;
    client_.hang_up();
    ::kill(monitor_, SIGKILL);
    sys::wait_child(monitor_);
  }

  void script(const char* text) { argv_[2] = text; }

  void start() {
    sys::Pipe reports = sys::make_pipe();
    sys::SocketPair pair = sys::make_socket_pair(SOCK_SEQPACKET);
    plan_.start_fd = reports.write.get();
    plan_.client_fd = pair.second.get();
    monitor_ = sys::fork_child([&] {
      ::setsid();
      if (::geteuid() != 0) enter_user_namespace();
      return run(plan_);
    });
    reports_ = std::move(reports.read);
    client_ = Peer(std::move(pair.first));
  }
  StartReport report() {
    StartReport report{};
    EXPECT_EQ(::read(reports_.get(), &report, sizeof report), static_cast<ssize_t>(sizeof report));
    return report;
  }
  int wait() { return sys::wait_child(std::exchange(monitor_, -1)).code; }

  // The start fails like this, and leaves nothing behind.
  StartReport failed_start() {
    start();
    const StartReport failure = report();
    EXPECT_EQ(wait(), 125);
    EXPECT_FALSE(directory_.has("run/attach"));
    EXPECT_FALSE(directory_.has("run/pids"));
    EXPECT_FALSE(directory_.has("container/summary"));
    return failure;
  }
  static MonitorStep step(const StartReport& report) { return static_cast<MonitorStep>(report.monitor_step); }

  StatusRecord status() const {
    return parse_status(status_line(directory_.read("container/summary"))).value_or(StatusRecord{});
  }

  TempDir directory_;
  std::string run_directory_ = directory_ / "run";
  std::string container_directory_ = directory_ / "container";
  std::string log_path_ = container_directory_ + "/ctr.log";
  const char* argv_[4] = {"/bin/sh", "-c", "true", nullptr};
  const char* env_[4] = {"PATH=/usr/bin:/bin", nullptr, nullptr, nullptr};
  init::Plan init_;
  Plan plan_;

  pid_t monitor_ = -1;
  sys::UniqueFd reports_;
  Peer client_{sys::UniqueFd()};
};

TEST_F(RunTest, StartsServesAndRecords) {
  script("echo out; echo err >&2; read line; exit 3");
  plan_.keep_stdin_open = true;
  const std::int64_t before = wall_clock_ns();
  start();
  const StartReport started = report();
  ASSERT_EQ(started.kind, Kind::started);
  const auto pids = parse_pids(directory_.read("run/pids"));
  ASSERT_TRUE(pids);
  EXPECT_EQ(pids->monitor, sys::identify(monitor_));
  EXPECT_EQ(pids->init, sys::identify(started.pid));
  EXPECT_GE(status().started_ns, before);
  EXPECT_EQ(status().finished_ns, 0);

  client_.send(FrameType::input, "go\n");
  const auto seen = client_.read_to_end();
  EXPECT_EQ(seen.output, "out\n");
  EXPECT_EQ(seen.error, "err\n");
  EXPECT_EQ(seen.exit_code, 3);
  // By then everything is said and done.
  EXPECT_FALSE(directory_.has("run/pids"));
  EXPECT_FALSE(directory_.has("run/attach"));
  EXPECT_EQ(status().exit_code, 3);
  EXPECT_GE(status().finished_ns, status().started_ns);
  EXPECT_EQ(wait(), 0);
}

TEST_F(RunTest, WritesThePidFilesItIsAskedFor) {
  const std::string init_path = directory_ / "init.pid", monitor_path = directory_ / "monitor.pid";
  plan_.pid_file = init_path.c_str();
  plan_.monitor_pid_file = monitor_path.c_str();
  start();
  EXPECT_EQ(directory_.read("init.pid"), std::to_string(report().pid));
  EXPECT_EQ(directory_.read("monitor.pid"), std::to_string(monitor_));
}

TEST_F(RunTest, AProgramThatDoesNotExistIsReportedAndNothingStays) {
  argv_[0] = "/nonexistent";
  const StartReport failure = failed_start();
  EXPECT_EQ(failure.kind, Kind::init_failed);
  EXPECT_EQ(failure.init_report.step, init::Step::exec);
  EXPECT_EQ(failure.init_report.error, ENOENT);
}

TEST_F(RunTest, ANamespaceThatCannotBeJoinedIsReported) {
  plan_.namespaces.joins[0] = {.path = "/nonexistent", .types = CLONE_NEWNET};
  plan_.namespaces.join_count = 1;
  const StartReport failure = failed_start();
  EXPECT_EQ(failure.kind, Kind::spawn_failed);
  EXPECT_EQ(failure.spawn.step, SpawnStep::join);
  EXPECT_EQ(failure.spawn.error, ENOENT);
}

TEST_F(RunTest, ALogThatCannotBeOpenedIsReported) {
  plan_.log_path = "/nonexistent/ctr.log";
  const StartReport failure = failed_start();
  EXPECT_EQ(failure.kind, Kind::monitor_failed);
  EXPECT_EQ(step(failure), MonitorStep::log);
  EXPECT_EQ(failure.init_report.error, ENOENT);
}

TEST_F(RunTest, AMissingRunDirectoryIsReported) {
  plan_.run_directory = "/nonexistent";
  const StartReport failure = failed_start();
  EXPECT_EQ(step(failure), MonitorStep::runtime_directory);
  EXPECT_EQ(failure.init_report.error, ENOENT);
}

TEST_F(RunTest, APidFileThatCannotBeWrittenIsReported) {
  plan_.pid_file = "/nonexistent/pid";
  const StartReport failure = failed_start();
  EXPECT_EQ(step(failure), MonitorStep::record);
}

TEST_F(RunTest, AHoleAmongThePreservedDescriptorsIsReported) {
  init_.process.preserve_fds = 200;
  const StartReport failure = failed_start();
  EXPECT_EQ(step(failure), MonitorStep::stdio);
  EXPECT_EQ(failure.init_report.error, EBADF);
}

TEST_F(RunTest, ASecondMonitorOfARunningContainerFailsAndDoesNotDisturb) {
  const sys::UniqueFd run = sys::open_directory(AT_FDCWD, run_directory_);
  const PidsFile other(run.get(), {});
  sys::create_file(run.get(), "attach", "", 0600, sys::Durability::none);
  start();
  EXPECT_EQ(step(report()), MonitorStep::record);
  EXPECT_EQ(wait(), 125);
  EXPECT_TRUE(directory_.has("run/attach"));
  EXPECT_TRUE(directory_.has("run/pids"));
}

TEST_F(RunTest, ADeadMonitorsLeavingsAreReplaced) {
  sys::create_file(AT_FDCWD, run_directory_ + "/attach", "", 0600, sys::Durability::none);
  sys::create_file(AT_FDCWD, run_directory_ + "/pids", "1 2 3 4\n", 0600, sys::Durability::none);
  sys::create_file(AT_FDCWD, run_directory_ + "/pids.new", std::string(1000, 'x'), 0600,
                   sys::Durability::none);
  start();
  EXPECT_EQ(report().kind, Kind::started);
  EXPECT_EQ(client_.read_to_end().exit_code, 0);
}

TEST_F(RunTest, WhenTheMonitorIsKilledItsContainerDiesAndNobodyThinksItRuns) {
  script("exec sleep 1000");
  start();
  const StartReport started = report();
  const sys::UniqueFd init(static_cast<int>(::syscall(SYS_pidfd_open, started.pid, 0)));
  ASSERT_TRUE(init);
  ::kill(monitor_, SIGKILL);
  sys::wait_child(std::exchange(monitor_, -1));
  EXPECT_TRUE(sys::wait_process(init.get(), 10'000));
  const sys::UniqueFd pids = sys::find_at(AT_FDCWD, run_directory_ + "/pids", O_RDONLY);
  EXPECT_FALSE(pids && is_monitor_alive(pids.get()));
  EXPECT_EQ(status().finished_ns, 0);
  EXPECT_FALSE(client_.read_to_end().exit_code);
}

TEST_F(RunTest, WhatTheCommandHadOpenIsClosed) {
  script("exec sleep 1000");
  sys::Pipe of_the_user = sys::make_pipe();
  // Not O_CLOEXEC, as what a shell hands down.
  const int inherited = ::dup(of_the_user.write.get());
  start();
  EXPECT_EQ(report().kind, Kind::started);
  ::close(inherited);
  of_the_user.write.reset();
  pollfd ended{of_the_user.read.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  EXPECT_TRUE(ended.revents & POLLHUP);
}

TEST_F(RunTest, ADeadCommandDoesNotKeepTheContainerFromRunning) {
  script("echo still here");
  start();
  reports_.reset();
  client_.hang_up();
  EXPECT_EQ(wait(), 0);
  EXPECT_EQ(status().exit_code, 0);
  EXPECT_NE(status().finished_ns, 0);
}

TEST_F(RunTest, TheStopOfTheMonitorIsTheStopOfTheContainer) {
  script("trap 'exit 9' TERM; echo ready; while :; do read x; done");
  plan_.keep_stdin_open = true;
  start();
  client_.await_output("ready");
  ::kill(monitor_, SIGTERM);
  EXPECT_EQ(client_.read_to_end().exit_code, 9);
  EXPECT_EQ(wait(), 0);
}

TEST_F(RunTest, WithRemovalTheContainerIsGoneBeforeItsClientKnows) {
  const std::string root = directory_ / "store";
  const storage::Store store = storage::Store::open(root);
  const storage::ContainerStore containers(store);
  const std::string id(64, 'c');
  containers.create({.id = id, .name = "web", .config_json = "{}", .durability = sys::Durability::none});
  container_directory_ = containers.path(id);
  log_path_ = container_directory_ + "/ctr.log";
  plan_.container_id = id.c_str();
  plan_.container_directory = container_directory_.c_str();
  plan_.log_path = log_path_.c_str();
  plan_.store_root = root.c_str();
  plan_.remove_on_exit = true;
  start();
  EXPECT_EQ(client_.read_to_end().exit_code, 0);
  EXPECT_FALSE(containers.find_id(id));
  EXPECT_FALSE(directory_.has("run"));
  EXPECT_EQ(wait(), 0);
  EXPECT_FALSE(store.has_trash());
}

TEST_F(RunTest, AnIdleMonitorGivesItsMemoryBack) {
  script("seq 1 300000; echo done; read x");
  plan_.keep_stdin_open = true;
  start();
  const auto private_dirty_kb = [&] {
    const std::string text = sys::read_file(AT_FDCWD, concat("/proc/", monitor_, "/smaps_rollup"));
    return std::stol(text.substr(text.find("Private_Dirty:") + 14));
  };
  await_file(log_path_, 100'000);  // and then it waits for its client, busy
  const long busy = private_dirty_kb();
  client_.await_output("done\n");
  long idle = busy;
  for (int i = 0; i < 200 && idle > busy - 100; ++i) {
    ::poll(nullptr, 0, 50);
    idle = private_dirty_kb();
  }
  EXPECT_LE(idle, busy - 100);
}

}  // namespace
}  // namespace knarr::engine::monitor
