// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_changes.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TreeChanges : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/var/tmp/knarr-changes-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    top_ = pattern;
  }
  void TearDown() override { sys::remove_tree(AT_FDCWD, top_); }

  TreeLayer layer(const std::string& name) {
    sys::make_directory(AT_FDCWD, top_ + "/" + name, 0755);
    return {.path = top_ + "/" + name};
  }
  // A file with its directories, all of the same time: tests say what differs.
  void write(const TreeLayer& layer, const std::string& path, const std::string& content = "x") {
    const std::string full = layer.path + "/" + path;
    sys::make_directories(AT_FDCWD, full.substr(0, full.rfind('/')), 0755);
    sys::replace_file(AT_FDCWD, full, content, 0644, sys::Durability::none);
    for (std::string at = full; at != layer.path; at.resize(at.rfind('/'))) set_time(at, 1000);
  }
  static void set_time(const std::string& path, time_t seconds) {
    const std::timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  static std::vector<std::string> show(const std::vector<TreeChange>& changes) {
    std::vector<std::string> lines;
    for (const TreeChange& change : changes)
      lines.push_back(concat(letter_of(change.kind), ' ', change.path));
    return lines;
  }

  std::string top_;
};

TEST_F(TreeChanges, AreAddedAndChangedFilesAndTheDirectoriesOnTheWay) {
  const TreeLayer lower = layer("lower"), upper = layer("upper");
  write(lower, "etc/passwd");
  write(lower, "usr/bin/tool");
  write(upper, "etc/passwd");
  write(upper, "srv/new");
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})),
              ElementsAre("C /etc", "C /etc/passwd", "A /srv", "A /srv/new"));
}

TEST_F(TreeChanges, ADirectoryWithTheSameAttributesAndNothingInItIsNoChange) {
  const TreeLayer lower = layer("lower"), upper = layer("upper");
  write(lower, "etc/passwd");
  sys::make_directory(AT_FDCWD, upper.path + "/etc", 0755);
  set_time(upper.path + "/etc", 1000);
  EXPECT_THAT(find_changes({upper, lower}, {lower}), IsEmpty());
  ASSERT_EQ(::chmod((upper.path + "/etc").c_str(), 0700), 0);
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})), ElementsAre("C /etc"));
}

TEST_F(TreeChanges, OwnersAreComparedAsTheTreeHasThem) {
  const TreeLayer lower = layer("lower");
  TreeLayer upper = layer("upper");
  write(lower, "etc/passwd");
  sys::make_directory(AT_FDCWD, upper.path + "/etc", 0755);
  set_time(upper.path + "/etc", 1000);
  upper.map_uid = [](std::uint32_t uid) { return uid + 1; };
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})), ElementsAre("C /etc"));
}

TEST_F(TreeChanges, NamedWhiteoutsDeleteAndTheOpaqueMarkDeletesAll) {
  const TreeLayer lower = layer("lower");
  TreeLayer upper = layer("upper");
  upper.has_named_whiteouts = true;
  write(lower, "etc/gone");
  write(lower, "etc/stays");
  write(lower, "opt/a/deep");
  write(lower, "opt/b");
  write(upper, "etc/.wh.gone", "");
  write(upper, "etc/.wh.never-was", "");
  write(upper, "opt/.wh..wh..opq", "");
  write(upper, "opt/b");
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})),
              ElementsAre("C /etc", "D /etc/gone", "C /opt", "D /opt/a", "C /opt/b"));
}

TEST_F(TreeChanges, KernelWhiteoutsAndOpaqueDirectories) {
  const TreeLayer lower = layer("lower"), upper = layer("upper");
  write(lower, "etc/gone");
  write(lower, "opt/a");
  write(upper, "opt/b");
  write(upper, "etc/x");
  const std::string whiteout = upper.path + "/etc/gone";
  if (::mknod(whiteout.c_str(), S_IFCHR | 0600, makedev(0, 0)) < 0)
    GTEST_SKIP() << "whiteouts need root or a user namespace";
  ASSERT_EQ(::setxattr((upper.path + "/opt").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})),
              ElementsAre("C /etc", "D /etc/gone", "A /etc/x", "C /opt", "D /opt/a", "A /opt/b"));
}

TEST_F(TreeChanges, KindsThatReplaceEachOther) {
  const TreeLayer lower = layer("lower"), upper = layer("upper");
  write(lower, "was-file");
  write(lower, "was-directory/inside");
  write(upper, "was-file/inside");
  write(upper, "was-directory");
  EXPECT_THAT(show(find_changes({upper, lower}, {lower})),
              ElementsAre("C /was-directory", "C /was-file", "A /was-file/inside"));
}

TEST_F(TreeChanges, AWholeStackIsWhatItShows) {
  const TreeLayer bottom = layer("bottom"), middle = layer("middle");
  TreeLayer top = layer("top");
  top.has_named_whiteouts = true;
  write(bottom, "a/one");
  write(bottom, "a/two");
  write(middle, "a/two");
  write(middle, "b");
  write(top, "a/.wh.one", "");
  const std::vector<TreeChange> changes = find_changes({top, middle, bottom}, {});
  EXPECT_THAT(show(changes), ElementsAre("A /a", "A /a/two", "A /b"));
  EXPECT_EQ(changes[1].layer, 1u);
}

TEST_F(TreeChanges, UnlikeStacksAreComparedFileByFile) {
  const TreeLayer copy = layer("copy"), image = layer("image");
  for (const TreeLayer* each : {&copy, &image}) {
    write(*each, "same");
    write(*each, "content", "abc");
    write(*each, "time");
  }
  write(copy, "content", "abd");
  set_time(copy.path + "/time", 2000);
  write(copy, "new");
  write(image, "old");
  EXPECT_THAT(show(find_changes({copy}, {image})), ElementsAre("C /content", "A /new", "D /old", "C /time"));
}

TEST_F(TreeChanges, WhatIsLeftOutCountsForNothing) {
  const TreeLayer lower = layer("lower"), upper = layer("upper");
  write(lower, "etc/passwd");
  write(upper, "etc/hosts");
  write(upper, "proc/deep/er");
  EXPECT_THAT(find_changes({upper, lower}, {lower}, {"/etc/hosts", "/proc"}), IsEmpty());
}

TEST_F(TreeChanges, OfDeepTreesNeedNoMoreDescriptorsThanTheKernelGives) {
  TreeStack stack;
  std::string path = "d";
  for (int i = 0; i < 49; ++i) path += "/d";
  for (int i = 0; i < 25; ++i) {
    stack.push_back(layer(concat("l", i)));
    write(stack.back(), path + "/" + std::to_string(i));
  }
  EXPECT_EQ(find_changes(stack, {}).size(), 50u + 25u);
}

}  // namespace
}  // namespace knarr::storage
