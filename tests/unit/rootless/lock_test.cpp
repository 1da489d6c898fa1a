// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "tests/support/temporary_directory.h"

namespace knarr::sys {
namespace {

class LockTest : public ::testing::Test {
 protected:
  LockTest() { make_directory(dir_.fd(), "thing", 0700); }

  bool is_free(Lock::Mode mode) { return Lock::try_acquire(dir_.fd(), "thing", mode).has_value(); }

  // Until the child sleeps in flock(2): the kernel lists blocked waiters with an arrow.
  static void wait_until_blocked(pid_t pid) {
    const std::string arrow_line = "-> FLOCK";
    for (;;) {
      const std::string locks = read_file(AT_FDCWD, "/proc/locks");
      for (std::size_t at = 0; (at = locks.find(arrow_line, at)) != std::string::npos; ++at) {
        const std::string line = locks.substr(at, locks.find('\n', at) - at);
        if (line.find(' ' + std::to_string(pid) + ' ') != std::string::npos) return;
      }
      ::sched_yield();
    }
  }

  test::TemporaryDirectory dir_;
};

TEST_F(LockTest, AnExclusiveLockKeepsEverybodyOut) {
  const Lock lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
  EXPECT_FALSE(is_free(Lock::Mode::exclusive));
  EXPECT_FALSE(is_free(Lock::Mode::shared));
}

TEST_F(LockTest, SharedLocksKeepOnlyWritersOut) {
  const Lock lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::shared);
  EXPECT_TRUE(is_free(Lock::Mode::shared));
  EXPECT_FALSE(is_free(Lock::Mode::exclusive));
}

TEST_F(LockTest, ALockEndsWithItsObject) {
  { const Lock lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive); }
  EXPECT_TRUE(is_free(Lock::Mode::exclusive));
}

TEST_F(LockTest, AReleasedLockLivesOnInItsDescriptor) {
  UniqueFd fd = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive).release();
  EXPECT_FALSE(is_free(Lock::Mode::exclusive));
  fd.reset();
  EXPECT_TRUE(is_free(Lock::Mode::exclusive));
}

TEST_F(LockTest, AFileCanBeLockedAsWell) {
  create_file(dir_.fd(), "file", "", 0600, Durability::none);
  const Lock lock = Lock::acquire(dir_.fd(), "file", Lock::Mode::exclusive);
  EXPECT_FALSE(Lock::try_acquire(dir_.fd(), "file", Lock::Mode::exclusive));
}

TEST_F(LockTest, AMissingPathIsNotFound) {
  EXPECT_THROW(Lock::acquire(dir_.fd(), "nothing", Lock::Mode::shared), NotFound);
  EXPECT_THROW(Lock::try_acquire(dir_.fd(), "nothing", Lock::Mode::shared), NotFound);
}

TEST_F(LockTest, ALockDiesWithItsProcess) {
  Pipe ready = make_pipe();
  const pid_t holder = fork_child([&] {
    const Lock lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
    write_all(ready.write.get(), "r", "the pipe");
    ::pause();
    return 0;
  });
  char byte;
  ASSERT_EQ(::read(ready.read.get(), &byte, 1), 1);
  EXPECT_FALSE(is_free(Lock::Mode::exclusive));
  ::kill(holder, SIGKILL);
  EXPECT_EQ(wait_child(holder).signal, SIGKILL);
  EXPECT_TRUE(is_free(Lock::Mode::exclusive));
}

TEST_F(LockTest, AWaiterDoesNotGetTheLockOfWhatWasRemovedMeanwhile) {
  std::optional<Lock> lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
  const pid_t waiter = fork_child([&] {
    lock.reset();  // only this process's copy of the descriptor
    try {
      Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
    } catch (const NotFound&) {
      return 7;
    }
    return 0;
  });
  wait_until_blocked(waiter);
  ASSERT_EQ(::renameat(dir_.fd(), "thing", dir_.fd(), "gone"), 0);
  lock.reset();
  EXPECT_EQ(wait_child(waiter).code, 7);
}

TEST_F(LockTest, AWaiterLocksWhatReplacedThePathMeanwhile) {
  std::optional<Lock> lock = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
  make_directory(dir_.fd(), "new", 0700);
  const ino_t wanted = stat_at(dir_.fd(), "new")->st_ino;
  const pid_t waiter = fork_child([&] {
    lock.reset();
    const Lock mine = Lock::acquire(dir_.fd(), "thing", Lock::Mode::exclusive);
    struct stat held;
    ::fstat(mine.fd(), &held);
    return held.st_ino == wanted ? 0 : 1;
  });
  wait_until_blocked(waiter);
  ASSERT_EQ(::renameat(dir_.fd(), "thing", dir_.fd(), "gone"), 0);
  ASSERT_EQ(::renameat(dir_.fd(), "new", dir_.fd(), "thing"), 0);
  lock.reset();
  EXPECT_EQ(wait_child(waiter).code, 0);
}

}  // namespace
}  // namespace knarr::sys
