// SPDX-License-Identifier: Apache-2.0
#include "storage/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

mode_t mode_of(int dir_fd, const std::string& path) {
  return sys::stat_at(dir_fd, path)->st_mode & 07777;
}

TEST(StoreOpen, MakesATreeNobodyElseCanRead) {
  const TemporaryDirectory directory;
  const mode_t old_mask = ::umask(0);
  const Store store = Store::open(directory.path() + "/a/b");
  ::umask(old_mask);
  EXPECT_EQ(mode_of(store.fd(), "."), 0700);
  for (const char* name : {"blobs", "blobs/sha256", "layers", "images", "refs", "containers", "names",
                           "volumes", "staging", "trash", "mnt"}) {
    EXPECT_EQ(mode_of(store.fd(), name), 0700) << name;
  }
  EXPECT_EQ(sys::read_file(store.fd(), "VERSION"), "1\n");
}

TEST(StoreOpen, GivesAnExistingEmptyDirectoryThePrivateMode) {
  const TemporaryDirectory directory;
  ::chmod(directory.path().c_str(), 0755);
  EXPECT_EQ(mode_of(Store::open(directory.path()).fd(), "."), 0700);
}

TEST(StoreOpen, RefusesANewerFormatByName) {
  const TemporaryDirectory directory;
  { const Store store = Store::open(directory.path()); }
  sys::replace_file(AT_FDCWD, directory.path() + "/VERSION", "2\n", 0600, sys::Durability::none);
  try {
    Store::open(directory.path());
    FAIL() << "opened";
  } catch (const Unsupported& error) {
    EXPECT_EQ(error.message(), "opening the store " + directory.path() +
                                   ": its format 2 is newer than the one this knarr knows (1)");
    EXPECT_THAT(error.hint(), HasSubstr("--root"));
  }
}

TEST(StoreOpen, RefusesAVersionThatIsNone) {
  const TemporaryDirectory directory;
  sys::create_file(AT_FDCWD, directory.path() + "/VERSION", "", 0600, sys::Durability::none);
  EXPECT_THAT(error_text<InvalidArgument>([&] { Store::open(directory.path()); }),
              HasSubstr("VERSION file does not hold a version"));
}

TEST(StoreOpen, DoesNotSettleInSomebodysDirectory) {
  const TemporaryDirectory directory;
  sys::create_file(AT_FDCWD, directory.path() + "/thesis.tex", "x", 0600, sys::Durability::none);
  EXPECT_THAT(error_text<InvalidArgument>([&] { Store::open(directory.path()); }), HasSubstr("thesis.tex"));
  EXPECT_THAT(sys::list_directory(AT_FDCWD, directory.path()), ElementsAre("thesis.tex"));
}

TEST(StoreOpen, FinishesATreeACrashLeftHalfMade) {
  const TemporaryDirectory directory;
  sys::make_directories(AT_FDCWD, directory.path() + "/blobs", 0700);
  const Store store = Store::open(directory.path());
  EXPECT_TRUE(sys::stat_at(store.fd(), "trash"));
}

TEST(StoreOpen, ManyCommandsMayBeTheFirstAtOnce) {
  const TemporaryDirectory directory;
  EXPECT_THAT(race(16,
                   [&](int) {
                     const Store store = Store::open(directory.path() + "/x/store");
                     return sys::stat_at(store.fd(), "mnt") ? 0 : 1;
                   }),
              Each(0));
}

using StoreStaging = StoreTest;

TEST_F(StoreStaging, IsKeptWhileItsLockIsHeldAndGarbageAfterwards) {
  {
    const Store::Staging staging = store_.make_staging("pull");
    EXPECT_THAT(staging.path, StartsWith("staging/pull-"));
    write(staging.path + "/file", "content");
    store_.empty_trash();
    EXPECT_TRUE(exists(staging.path + "/file"));
  }
  store_.empty_trash();
  EXPECT_THAT(list("staging"), IsEmpty());
  EXPECT_THAT(list("trash"), IsEmpty());
}

TEST_F(StoreStaging, SurvivesASweepAtAnyInstantOfItsMaking) {
  const auto statuses = race(8, [&](int i) {
    const Store store = Store::open(store_.root());
    for (int round = 0; round < 200; ++round) {
      if (i < 2) {
        store.empty_trash();
      } else {
        const Store::Staging staging = store.make_staging("race");
        sys::create_file(store.fd(), staging.path + "/x", "", 0600, sys::Durability::none);
        if (!sys::stat_at(store.fd(), staging.path + "/x")) return 1;
      }
    }
    return 0;
  });
  EXPECT_THAT(statuses, Each(0));
}

using StoreTrash = StoreTest;

TEST_F(StoreTrash, TakesATreeAwayInOneStepAndDeletesItLater) {
  sys::make_directories(store_.fd(), "layers/x/diff", 0700);
  write("layers/x/diff/file", std::string(100'000, 'x'));
  EXPECT_FALSE(store_.has_trash());
  EXPECT_TRUE(store_.move_to_trash("layers/x"));
  EXPECT_FALSE(exists("layers/x"));
  EXPECT_TRUE(store_.has_trash());
  store_.empty_trash();
  EXPECT_FALSE(store_.has_trash());
}

TEST_F(StoreTrash, WhatIsNotThereIsNoError) {
  EXPECT_FALSE(store_.move_to_trash("layers/missing"));
}

TEST_F(StoreTrash, EmptiesDirectoriesWithoutPermissionBits) {
  sys::make_directories(store_.fd(), "containers/x/work/work/deep", 0700);
  ::fchmodat(store_.fd(), "containers/x/work/work", 0, 0);
  store_.move_to_trash("containers/x");
  store_.empty_trash();
  EXPECT_FALSE(store_.has_trash());
}

TEST_F(StoreTrash, DoesNotFollowLinksOutOfTheStore) {
  const std::string outside = directory_.path() + "/outside";
  sys::make_directory(AT_FDCWD, outside, 0700);
  sys::create_file(AT_FDCWD, outside + "/keep", "", 0600, sys::Durability::none);
  sys::make_directory(store_.fd(), "layers/x", 0700);
  ASSERT_EQ(::symlinkat(outside.c_str(), store_.fd(), "layers/x/link"), 0);
  store_.move_to_trash("layers/x");
  store_.empty_trash();
  EXPECT_THAT(sys::list_directory(AT_FDCWD, outside), ElementsAre("keep"));
}

using StoreGcLock = StoreTest;

TEST_F(StoreGcLock, SharedHoldersKeepTheExclusiveOneOut) {
  const sys::Lock first = store_.lock_gc(sys::Lock::Mode::shared);
  const sys::Lock second = store_.lock_gc(sys::Lock::Mode::shared);
  EXPECT_FALSE(sys::Lock::try_acquire(store_.fd(), ".", sys::Lock::Mode::exclusive));
}

TEST_F(StoreTest, GarbageIsWhatNobodyHolds) {
  const Store::Staging held = store_.make_staging("held");
  sys::make_directories(store_.fd(), "staging/left", 0700);
  sys::make_directories(store_.fd(), "downloads", 0700);
  write("downloads/part", "x");
  write("images/old", "x");
  store_.move_to_trash("images/old");
  EXPECT_THAT(store_.find_garbage(Store::Downloads::all),
              UnorderedElementsAre("staging/left", "downloads/part", StartsWith("trash/")));
  store_.trash_garbage(Store::Downloads::all);
  EXPECT_THAT(store_.find_garbage(Store::Downloads::all), Each(StartsWith("trash/")));
  EXPECT_TRUE(exists(held.path));
}

TEST_F(StoreTest, ALinkIsNotKeptInTheTrash) {
  ASSERT_EQ(::symlinkat("../containers/x", store_.fd(), "names/web"), 0);
  EXPECT_TRUE(store_.move_to_trash("names/web"));
  EXPECT_FALSE(exists("names/web"));
  EXPECT_THAT(list("trash"), IsEmpty());
}

}  // namespace
}  // namespace knarr::storage
