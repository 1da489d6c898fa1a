// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "engine/monitor/record_files.h"
#include "rootless/sys/process.h"
#include "temp_dir.h"

namespace knarr::engine::monitor {
namespace {

class RecordFilesTest : public ::testing::Test {
 protected:
  bool is_alive() const {
    const sys::UniqueFd pids = sys::find_at(AT_FDCWD, directory_ / "pids", O_RDONLY);
    return pids && is_monitor_alive(pids.get());
  }
  std::optional<StatusRecord> status() const { return parse_status(status_line(directory_.read("summary"))); }
  void write_summary(std::string_view text) const {
    sys::create_file(fd_.get(), "summary", text, 0600, sys::Durability::none);
  }
  void exit_with(int code) const {
    update_status(directory_.path().c_str(), [&](StatusRecord& record) { record.exit_code = code; });
  }

  TempDir directory_;
  sys::UniqueFd fd_ = sys::open_directory(AT_FDCWD, directory_.path());
  LivePids pids_{{.pid = 10, .start_time = 100}, {.pid = 11, .start_time = 101}};
};

TEST_F(RecordFilesTest, PidsAreThereAndLockedUntilWithdrawn) {
  PidsFile file(fd_.get(), pids_);
  EXPECT_TRUE(is_alive());
  const auto read = parse_pids(directory_.read("pids"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->monitor, pids_.monitor);
  EXPECT_EQ(read->init, pids_.init);
  file.withdraw();
  EXPECT_FALSE(directory_.has("pids"));
  EXPECT_FALSE(directory_.has("pids.new"));
}

TEST_F(RecordFilesTest, TheLockDiesWithItsProcess) {
  sys::Pipe ready = sys::make_pipe();
  const pid_t monitor = sys::fork_child([&] {
    const PidsFile file(fd_.get(), pids_);
    ready.write.reset();
    for (;;) ::pause();
    return 0;
  });
  ready.write.reset();
  char none;
  EXPECT_EQ(::read(ready.read.get(), &none, 1), 0);
  EXPECT_TRUE(is_alive());
  ::kill(monitor, SIGKILL);
  sys::wait_child(monitor);
  EXPECT_FALSE(is_alive());
  EXPECT_TRUE(directory_.has("pids"));
  // And the next start takes its place.
  const PidsFile next(fd_.get(), {{.pid = 20, .start_time = 200}, {.pid = 21, .start_time = 201}});
  EXPECT_TRUE(is_alive());
  EXPECT_EQ(parse_pids(directory_.read("pids"))->monitor.pid, 20);
}

TEST_F(RecordFilesTest, TwoMonitorsOfOneContainerAreImpossible) {
  const PidsFile first(fd_.get(), pids_);
  EXPECT_THROW(PidsFile(fd_.get(), {}), Conflict);
  EXPECT_TRUE(is_alive());
  EXPECT_EQ(parse_pids(directory_.read("pids"))->monitor.pid, 10);
}

TEST_F(RecordFilesTest, AStatusIsChangedInPlace) {
  write_summary("the first line\n");
  update_status(directory_.path().c_str(), [](StatusRecord& record) {
    record.started_ns = 1;
    record.restarts = 3;
  });
  const auto before = sys::stat_at(AT_FDCWD, directory_ / "summary");
  update_status(directory_.path().c_str(), [](StatusRecord& record) {
    record.finished_ns = 2;
    record.exit_code = 137;
  });
  const auto after = sys::stat_at(AT_FDCWD, directory_ / "summary");
  EXPECT_EQ(before->st_ino, after->st_ino);
  EXPECT_THAT(directory_.read("summary"), ::testing::StartsWith("the first line\n1 2 137 3 0 "));
  EXPECT_EQ(after->st_size, static_cast<off_t>(15 + status_record_bytes));
  ASSERT_TRUE(status());
  EXPECT_EQ(status()->started_ns, 1);
  EXPECT_EQ(status()->finished_ns, 2);
  EXPECT_EQ(status()->exit_code, 137);
  EXPECT_EQ(status()->restarts, 3u);
}

TEST_F(RecordFilesTest, ADamagedStatusIsStartedAnew) {
  write_summary("x\n" + std::string(status_record_bytes, '\0'));
  exit_with(1);
  ASSERT_TRUE(status());
  EXPECT_EQ(status()->exit_code, 1);
}

TEST_F(RecordFilesTest, AStatusIsWrittenWhereTheSummaryIsDamagedOrMissing) {
  exit_with(1);
  EXPECT_EQ(status()->exit_code, 1);
  sys::unlink_if_exists(fd_.get(), "summary");
  write_summary("half a li");
  exit_with(2);
  EXPECT_EQ(status()->exit_code, 2);
  exit_with(3);
  EXPECT_EQ(status()->exit_code, 3);
}

TEST_F(RecordFilesTest, AnotherSummaryKeepsTheStatus) {
  write_summary("before\n");
  replace_summary(directory_.path().c_str(), "one");
  EXPECT_EQ(directory_.read("summary"), "one\n");
  exit_with(7);
  replace_summary(directory_.path().c_str(), "another, longer than before");
  EXPECT_THAT(directory_.read("summary"), ::testing::StartsWith("another, longer than before\n"));
  EXPECT_EQ(status()->exit_code, 7);
}

// Neither loses what the other writes at the same time.
TEST_F(RecordFilesTest, StatusAndSummaryAreChangedSideBySide) {
  constexpr int changes = 300;
  write_summary("0\n");
  const pid_t other = sys::fork_child([&] {
    for (int i = 1; i <= changes; ++i) replace_summary(directory_.path().c_str(), std::to_string(i));
    return 0;
  });
  for (int i = 0; i < changes; ++i)
    update_status(directory_.path().c_str(), [](StatusRecord& record) { ++record.restarts; });
  EXPECT_EQ(sys::wait_child(other).code, 0);
  EXPECT_EQ(status()->restarts, static_cast<unsigned>(changes));
  EXPECT_THAT(directory_.read("summary"), ::testing::StartsWith(std::to_string(changes) + "\n"));
}

TEST_F(RecordFilesTest, APidFileHoldsThePidAlone) {
  const std::string path = directory_ / "my.pid";
  write_pid_file(path.c_str(), 123456);
  write_pid_file(path.c_str(), 42);
  EXPECT_EQ(directory_.read("my.pid"), "42");
}

}  // namespace
}  // namespace knarr::engine::monitor
