// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
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
  std::optional<StatusRecord> status() const { return parse_status(directory_.read("status")); }

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
  update_status(directory_.path().c_str(), [](StatusRecord& record) {
    record.started_ns = 1;
    record.restarts = 3;
  });
  const auto before = sys::stat_at(AT_FDCWD, directory_ / "status");
  update_status(directory_.path().c_str(), [](StatusRecord& record) {
    record.finished_ns = 2;
    record.exit_code = 137;
  });
  const auto after = sys::stat_at(AT_FDCWD, directory_ / "status");
  EXPECT_EQ(before->st_ino, after->st_ino);
  EXPECT_EQ(after->st_size, static_cast<off_t>(status_record_bytes));
  ASSERT_TRUE(status());
  EXPECT_EQ(status()->started_ns, 1);
  EXPECT_EQ(status()->finished_ns, 2);
  EXPECT_EQ(status()->exit_code, 137);
  EXPECT_EQ(status()->restarts, 3u);
}

TEST_F(RecordFilesTest, ADamagedStatusIsStartedAnew) {
  sys::create_file(fd_.get(), "status", std::string(status_record_bytes, '\0'), 0600, sys::Durability::none);
  update_status(directory_.path().c_str(), [](StatusRecord& record) { record.exit_code = 1; });
  ASSERT_TRUE(status());
  EXPECT_EQ(status()->exit_code, 1);
}

TEST_F(RecordFilesTest, APidFileHoldsThePidAlone) {
  const std::string path = directory_ / "my.pid";
  write_pid_file(path.c_str(), 123456);
  write_pid_file(path.c_str(), 42);
  EXPECT_EQ(directory_.read("my.pid"), "42");
}

}  // namespace
}  // namespace knarr::engine::monitor
