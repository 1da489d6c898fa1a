// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_copy.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/volume/copy_up.h"

namespace knarr::storage {
namespace {

using ::testing::UnorderedElementsAre;

class TreeCopy : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/var/tmp/knarr-tree-copy-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    top_ = pattern;
    sys::make_directory(AT_FDCWD, top_ + "/from", 0755);
    sys::make_directory(AT_FDCWD, top_ + "/to", 0700);
    from_ = sys::open_directory(AT_FDCWD, top_ + "/from");
    to_ = sys::open_directory(AT_FDCWD, top_ + "/to");
  }
  void TearDown() override { sys::remove_tree(AT_FDCWD, top_); }

  void write(int dir, const std::string& path, const std::string& content, mode_t mode = 0644) {
    const sys::UniqueFd file = sys::open_at(dir, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    sys::write_all(file.get(), content, path);
    ASSERT_EQ(::fchmod(file.get(), mode), 0);
  }
  struct stat info(const std::string& path) {
    const auto found = sys::stat_at(to_.get(), path, AT_SYMLINK_NOFOLLOW);
    EXPECT_TRUE(found) << path;
    return found.value_or(nothing_);
  }
  void mknod_or_skip(int dir, const char* name) {
    if (::mknodat(dir, name, S_IFCHR | 0600, makedev(0, 0)) < 0)
      GTEST_SKIP() << "whiteouts need root or a user namespace";
  }

  std::string top_;
  struct stat nothing_ {};
  sys::UniqueFd from_, to_;
};

TEST_F(TreeCopy, KeepsContentModesTimesAndLinks) {
  write(from_.get(), "tool", "#!", 04755);
  sys::make_directory(from_.get(), "dir", 0700);
  write(from_.get(), "dir/data", std::string(300000, 'x'), 0640);
  ASSERT_EQ(::symlinkat("../nowhere", from_.get(), "dir/link"), 0);
  const timespec times[2] = {{1000, 5}, {2000, 7}};
  ASSERT_EQ(::utimensat(from_.get(), "dir", times, 0), 0);

  copy_tree(from_.get(), to_.get(), {});

  EXPECT_EQ(info("tool").st_mode & 07777, 04755u);
  EXPECT_EQ(sys::read_file(to_.get(), "dir/data"), std::string(300000, 'x'));
  EXPECT_EQ(sys::read_link(to_.get(), "dir/link"), "../nowhere");
  EXPECT_EQ(info("dir").st_mtim.tv_sec, 2000);
  EXPECT_EQ(info("dir").st_mtim.tv_nsec, 7);
}

TEST_F(TreeCopy, HardLinksAcrossDirectoriesStayOneFile) {
  sys::make_directory(from_.get(), "a", 0755);
  sys::make_directory(from_.get(), "b", 0755);
  write(from_.get(), "a/one", "x");
  ASSERT_EQ(::linkat(from_.get(), "a/one", from_.get(), "b/two", 0), 0);
  copy_tree(from_.get(), to_.get(), {});
  EXPECT_EQ(info("a/one").st_ino, info("b/two").st_ino);
}

TEST_F(TreeCopy, KeepsXattrsButNotTheOverlaysOwn) {
  write(from_.get(), "f", "x");
  ASSERT_EQ(::setxattr((top_ + "/from/f").c_str(), "user.mime_type", "text", 4, 0), 0);
  ASSERT_EQ(::setxattr((top_ + "/from/f").c_str(), "user.overlay.origin", "o", 1, 0), 0);
  copy_tree(from_.get(), to_.get(), {});
  char value[8];
  EXPECT_EQ(::getxattr((top_ + "/to/f").c_str(), "user.mime_type", value, sizeof(value)), 4);
  EXPECT_LT(::getxattr((top_ + "/to/f").c_str(), "user.overlay.origin", value, sizeof(value)), 0);
}

TEST_F(TreeCopy, WhiteoutDeletesWhatLowerLayersHad) {
  write(to_.get(), "gone", "x");
  mknod_or_skip(from_.get(), "gone");
  copy_tree(from_.get(), to_.get(), {.apply_whiteouts = true});
  EXPECT_TRUE(sys::list_directory(to_.get(), ".").empty());
}

TEST_F(TreeCopy, OpaqueDirectoryHidesWhatLowerLayersHad) {
  sys::make_directory(to_.get(), "d", 0755);
  write(to_.get(), "d/old", "x");
  sys::make_directory(from_.get(), "d", 0755);
  write(from_.get(), "d/new", "y");
  ASSERT_EQ(::setxattr((top_ + "/from/d").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  copy_tree(from_.get(), to_.get(), {.apply_whiteouts = true});
  EXPECT_THAT(sys::list_directory(to_.get(), "d"), UnorderedElementsAre("new"));
}

TEST_F(TreeCopy, UpperLayersReplaceFilesByDirectoriesAndBack) {
  write(to_.get(), "a", "file");
  sys::make_directory(to_.get(), "b", 0755);
  write(to_.get(), "b/inside", "x");
  sys::make_directory(from_.get(), "a", 0755);
  write(from_.get(), "b", "file");
  copy_tree(from_.get(), to_.get(), {.apply_whiteouts = true});
  EXPECT_TRUE(S_ISDIR(info("a").st_mode));
  EXPECT_TRUE(S_ISREG(info("b").st_mode));
}

TEST_F(TreeCopy, OwnersAreMapped) {
  if (::geteuid() != 0) GTEST_SKIP() << "changing owners needs root";
  write(from_.get(), "f", "x");
  copy_tree(from_.get(), to_.get(), {.map_uid = [](uid_t uid) { return uid + 7; }, .map_gid = {}});
  EXPECT_EQ(info("f").st_uid, 7u);
  EXPECT_EQ(info("f").st_gid, 0u);
}

using CopyUp = TreeCopy;

TEST_F(CopyUp, FillsAnEmptyVolumeThroughLinksThatStayInside) {
  sys::make_directories(from_.get(), "srv/data", 0750);
  write(from_.get(), "srv/data/f", "x");
  ASSERT_EQ(::symlinkat("/srv/data", from_.get(), "alias"), 0);
  copy_up(from_.get(), "/alias", top_ + "/to");
  EXPECT_EQ(sys::read_file(to_.get(), "f"), "x");
}

TEST_F(CopyUp, LeavesAFilledVolumeAlone) {
  write(to_.get(), "mine", "x");
  sys::make_directory(from_.get(), "d", 0755);
  write(from_.get(), "d/theirs", "y");
  copy_up(from_.get(), "/d", top_ + "/to");
  EXPECT_THAT(sys::list_directory(to_.get(), "."), UnorderedElementsAre("mine"));
}

TEST_F(CopyUp, NothingHappensWhereTheImageHasNothing) {
  copy_up(from_.get(), "/missing", top_ + "/to");
  copy_up(from_.get(), "/../../../etc/missing", top_ + "/to");
  EXPECT_TRUE(sys::list_directory(to_.get(), ".").empty());
}

TEST_F(CopyUp, DotDotDoesNotLeaveTheImage) {
  sys::make_directory(from_.get(), "etc", 0755);
  write(from_.get(), "etc/of-the-image", "x");
  copy_up(from_.get(), "/../../../../../../etc", top_ + "/to");
  EXPECT_THAT(sys::list_directory(to_.get(), "."), UnorderedElementsAre("of-the-image"));
}

}  // namespace
}  // namespace knarr::storage
