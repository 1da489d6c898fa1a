// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/mount_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct MountPointsTest : ::testing::Test {
  std::vector<std::string> list(const std::string& path) const {
    return sys::list_directory(store_.fd(), path);
  }
  TemporaryDirectory directory_;
  Store store_ = Store::open(directory_.path());
};

TEST_F(MountPointsTest, AreDirectoriesAndEmptyFilesWhateverTheUmask) {
  const mode_t old_mask = ::umask(0077);
  make_mount_points(store_);
  ::umask(old_mask);
  EXPECT_THAT(list("mountpoints"), UnorderedElementsAre("dev", "etc", "proc", "run", "sys"));
  EXPECT_THAT(list("mountpoints/etc"), UnorderedElementsAre("hosts", "hostname", "resolv.conf"));
  for (const char* path : {"/", "/etc", "/run"})
    EXPECT_EQ(sys::stat_at(AT_FDCWD, mount_points_path(store_) + path)->st_mode, S_IFDIR | 0755u) << path;
  for (const char* path : mount_point_files) {
    const auto info = sys::stat_at(AT_FDCWD, mount_points_path(store_) + path);
    ASSERT_TRUE(info.has_value()) << path;
    EXPECT_EQ(info->st_mode, S_IFREG | 0644u) << path;
    EXPECT_EQ(info->st_size, 0) << path;
  }
}

TEST_F(MountPointsTest, AreMadeWholeByOneOfMany) {
  const auto statuses = race(8, [&](int) {
    const Store store = Store::open(store_.root());
    make_mount_points(store);
    return sys::stat_at(store.fd(), "mountpoints/run/.containerenv") ? 0 : 1;
  });
  EXPECT_THAT(statuses, Each(0));
  store_.empty_trash();
  EXPECT_THAT(list("staging"), IsEmpty());
  EXPECT_THAT(list("mountpoints"), UnorderedElementsAre("dev", "etc", "proc", "run", "sys"));
}

}  // namespace
}  // namespace knarr::storage
