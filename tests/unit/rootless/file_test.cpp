// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "tests/support/temporary_directory.h"

namespace knarr::sys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class UmaskScope {
 public:
  explicit UmaskScope(mode_t mask) : before_(::umask(mask)) {}
  ~UmaskScope() { ::umask(before_); }

 private:
  mode_t before_;
};

class FileTest : public ::testing::Test {
 protected:
  void put(const std::string& name, std::string_view content = "x") {
    create_file(dir_.fd(), name, content, 0644, Durability::none);
  }
  bool exists(const std::string& name) { return stat_at(dir_.fd(), name, AT_SYMLINK_NOFOLLOW).has_value(); }
  mode_t mode(const std::string& name) { return stat_at(dir_.fd(), name)->st_mode & 07777; }

  test::TemporaryDirectory dir_;
};

template <typename Act>
std::string message_of(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// ---- opening and reading ----

TEST_F(FileTest, OpenedFilesAreClosedOnExec) {
  put("file");
  EXPECT_TRUE(::fcntl(open_at(dir_.fd(), "file", O_RDONLY).get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(FileTest, OpeningAMissingFileNamesIt) {
  EXPECT_EQ(message_of([&] { open_at(dir_.fd(), "nowhere", O_RDONLY); }),
            "opening nowhere: no such file or directory");
}

TEST_F(FileTest, FindReturnsNothingForAMissingPathAndThrowsForOtherFailures) {
  put("file");
  EXPECT_FALSE(find_at(dir_.fd(), "nowhere", O_RDONLY));
  EXPECT_FALSE(find_at(dir_.fd(), "file/below", O_RDONLY));
  EXPECT_THROW(find_at(dir_.fd(), std::string(300, 'n'), O_RDONLY), SysError);
}

TEST_F(FileTest, ReadsContentLongerThanTheSizeTheKernelTells) {
  // Files in /proc have size 0.
  EXPECT_THAT(read_file(AT_FDCWD, "/proc/self/status"), HasSubstr("Threads:"));
}

TEST_F(FileTest, ReadsUpToTheLimitAndRefusesOneByteMore) {
  put("file", std::string(10'000, 'a'));
  EXPECT_EQ(read_file(dir_.fd(), "file", 10'000).size(), 10'000u);
  EXPECT_THROW(read_file(dir_.fd(), "file", 9'999), InvalidArgument);
}

TEST_F(FileTest, RefusesAnEndlessFile) {
  EXPECT_EQ(message_of([] { read_file(AT_FDCWD, "/dev/zero", 100'000); }),
            "/dev/zero is larger than 100000 bytes");
}

TEST_F(FileTest, ReadIfExistsDistinguishesEmptyFromMissing) {
  put("empty", "");
  EXPECT_EQ(read_file_if_exists(dir_.fd(), "empty"), "");
  EXPECT_EQ(read_file_if_exists(dir_.fd(), "missing"), std::nullopt);
}

TEST_F(FileTest, WritesAllThroughAPipeThatTakesItInParts) {
  const Pipe pipe = make_pipe();
  const std::string content(1 << 20, 'p');
  const pid_t writer = fork_child([&] {
    write_all(pipe.write.get(), content, "the pipe");
    return 0;
  });
  const_cast<UniqueFd&>(pipe.write).reset();
  EXPECT_EQ(read_all(pipe.read.get(), "the pipe"), content);
  EXPECT_EQ(wait_child(writer).code, 0);
}

// ---- whole files ----

class WholeFileTest : public FileTest, public ::testing::WithParamInterface<Durability> {};
INSTANTIATE_TEST_SUITE_P(Durabilities, WholeFileTest,
                         ::testing::Values(Durability::none, Durability::synced));

TEST_P(WholeFileTest, CreatesWithContentAndExactModeWhateverTheUmask) {
  const UmaskScope umask(077);
  create_file(dir_.fd(), "hosts", "content", 0644, GetParam());
  EXPECT_EQ(read_file(dir_.fd(), "hosts"), "content");
  EXPECT_EQ(mode("hosts"), 0644u);
  EXPECT_THAT(list_directory(dir_.fd(), "."), ElementsAre("hosts"));
}

TEST_P(WholeFileTest, CreatingAnExistingNameIsAConflictAndChangesNothing) {
  put("name", "old");
  EXPECT_THROW(create_file(dir_.fd(), "name", "new", 0644, GetParam()), Conflict);
  EXPECT_EQ(read_file(dir_.fd(), "name"), "old");
  EXPECT_THAT(list_directory(dir_.fd(), "."), ElementsAre("name"));
}

TEST_P(WholeFileTest, CreatesBelowASubdirectory) {
  make_directories(dir_.fd(), "a/b", 0700);
  create_file(dir_.fd(), "a/b/file", "deep", 0600, GetParam());
  EXPECT_EQ(read_file(dir_.fd(), "a/b/file"), "deep");
}

TEST_P(WholeFileTest, ReplacesContentAndModeAndLeavesNoOtherName) {
  put("record", "old");
  replace_file(dir_.fd(), "record", "new", 0600, GetParam());
  EXPECT_EQ(read_file(dir_.fd(), "record"), "new");
  EXPECT_EQ(mode("record"), 0600u);
  EXPECT_THAT(list_directory(dir_.fd(), "."), ElementsAre("record"));
}

TEST_P(WholeFileTest, ReplacingDoesNotChangeWhatAReaderHasOpen) {
  put("record", "old");
  const UniqueFd reader = open_at(dir_.fd(), "record", O_RDONLY);
  replace_file(dir_.fd(), "record", "new", 0600, GetParam());
  EXPECT_EQ(read_all(reader.get(), "record"), "old");
}

TEST_F(FileTest, AFailedReplacementLeavesNoPrivateFileBehind) {
  make_directory(dir_.fd(), "taken", 0700);
  EXPECT_THROW(replace_file(dir_.fd(), "taken", "x", 0600, Durability::none), SysError);
  EXPECT_THAT(list_directory(dir_.fd(), "."), ElementsAre("taken"));
}

// ---- directories ----

TEST_F(FileTest, MakesMissingParentsWithTheExactMode) {
  const UmaskScope umask(077);
  make_directories(dir_.fd(), "a/b//c/", 0755);
  EXPECT_EQ(mode("a"), 0755u);
  EXPECT_EQ(mode("a/b"), 0755u);
  EXPECT_EQ(mode("a/b/c"), 0755u);
}

TEST_F(FileTest, MakesParentsOfAnAbsolutePath) {
  make_directories(AT_FDCWD, dir_.path("x/y"), 0700);
  EXPECT_TRUE(exists("x/y"));
}

TEST_F(FileTest, MakeDirectoryIsNotMisledByOneThatGoesAwayMeanwhile) {
  std::atomic<bool> done = false;
  std::jthread remover([&] {
    while (!done) ::unlinkat(dir_.fd(), "restless", AT_REMOVEDIR);
  });
  for (int i = 0; i < 20'000; ++i) ASSERT_NO_THROW(make_directory(dir_.fd(), "restless", 0700));
  done = true;
}

TEST_F(FileTest, AnExistingDirectoryKeepsItsMode) {
  make_directory(dir_.fd(), "there", 0750);
  make_directory(dir_.fd(), "there", 0700);
  make_directories(dir_.fd(), "there", 0700);
  EXPECT_EQ(mode("there"), 0750u);
}

TEST_F(FileTest, ALinkToADirectoryCountsAsOne) {
  make_directory(dir_.fd(), "real", 0700);
  ASSERT_EQ(::symlinkat("real", dir_.fd(), "link"), 0);
  make_directories(dir_.fd(), "link/below", 0700);
  EXPECT_TRUE(exists("real/below"));
}

TEST_F(FileTest, AFileInTheWayOfADirectoryIsNamed) {
  put("file");
  EXPECT_EQ(message_of([&] { make_directory(dir_.fd(), "file", 0700); }),
            "creating directory file: not a directory");
  EXPECT_EQ(message_of([&] { make_directories(dir_.fd(), "file/below", 0700); }),
            "creating directory file/below: not a directory");
}

TEST_F(FileTest, ListsWithoutDotsAndAMissingDirectoryAsEmpty) {
  put(".hidden");
  put("..odd");
  put("plain");
  EXPECT_THAT(list_directory(dir_.fd(), "."), UnorderedElementsAre(".hidden", "..odd", "plain"));
  EXPECT_THAT(list_directory(dir_.fd(), "missing"), IsEmpty());
}

TEST_F(FileTest, ListsADirectoryThatVanishesMeanwhileAsEmpty) {
  make_directory(dir_.fd(), "gone", 0700);
  const UniqueFd fd = open_directory(dir_.fd(), "gone");
  unlink_if_exists(dir_.fd(), "gone", AT_REMOVEDIR);
  EXPECT_THAT(list_directory(fd.get(), "."), IsEmpty());
}

TEST_F(FileTest, ListsMoreThanOneBufferHolds) {
  for (int i = 0; i < 2000; ++i) put("a-name-of-some-length-" + std::to_string(i), "");
  EXPECT_EQ(list_directory(dir_.fd(), ".").size(), 2000u);
}

// ---- removing ----

TEST_F(FileTest, RemovesATree) {
  make_directories(dir_.fd(), "tree/a/b", 0755);
  make_directories(dir_.fd(), "tree/c", 0755);
  put("tree/file");
  put("tree/a/file");
  ASSERT_EQ(::mkfifoat(dir_.fd(), "tree/a/b/fifo", 0600), 0);
  remove_tree(dir_.fd(), "tree");
  EXPECT_FALSE(exists("tree"));
}

TEST_F(FileTest, RemovesAFileAndIgnoresAMissingName) {
  put("file");
  remove_tree(dir_.fd(), "file");
  EXPECT_FALSE(exists("file"));
  remove_tree(dir_.fd(), "file");
  remove_tree(dir_.fd(), "missing/below");
}

TEST_F(FileTest, RemovesLinksAndNotWhatTheyPointTo) {
  make_directory(dir_.fd(), "outside", 0755);
  put("outside/precious");
  make_directory(dir_.fd(), "tree", 0755);
  ASSERT_EQ(::symlinkat("../outside", dir_.fd(), "tree/link"), 0);
  ASSERT_EQ(::symlinkat("outside", dir_.fd(), "top"), 0);
  remove_tree(dir_.fd(), "tree");
  remove_tree(dir_.fd(), "top");
  EXPECT_FALSE(exists("tree"));
  EXPECT_FALSE(exists("top"));
  EXPECT_TRUE(exists("outside/precious"));
}

TEST_F(FileTest, RefusesNamesThatMeanADirectoryItself) {
  for (const char* name : {"", ".", "..", "a/..", "/"}) {
    EXPECT_THROW(remove_tree(dir_.fd(), name), InvalidArgument) << name;
  }
}

// Makes `depth` directories one in the other, each with a file.
void make_deep_tree(int dir_fd, int depth) {
  UniqueFd at(::fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
  for (int i = 0; i < depth; ++i) {
    make_directory(at.get(), "d", 0755);
    at = open_directory(at.get(), "d");
    create_file(at.get(), "f", "", 0644, Durability::none);
  }
}

TEST_F(FileTest, RemovesATreeDeeperThanTheDescriptorTable) {
  make_deep_tree(dir_.fd(), 3000);  // its path is longer than PATH_MAX, too
  const pid_t child = fork_child([&] {
    const rlimit few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
    remove_tree(dir_.fd(), "d");
    return 0;
  });
  EXPECT_EQ(wait_child(child).code, 0);
  EXPECT_FALSE(exists("d"));
}

TEST_F(FileTest, RemovesAWideTree) {
  for (int i = 0; i < 50; ++i) {
    const std::string name = "tree/" + std::to_string(i);
    make_directories(dir_.fd(), name + "/sub", 0755);
    for (int j = 0; j < 40; ++j) put(name + "/" + std::to_string(j), "");
  }
  remove_tree(dir_.fd(), "tree");
  EXPECT_FALSE(exists("tree"));
}

TEST_F(FileTest, UnlinkTellsWhetherTheNameWasThere) {
  put("file");
  EXPECT_TRUE(unlink_if_exists(dir_.fd(), "file"));
  EXPECT_FALSE(unlink_if_exists(dir_.fd(), "file"));
  make_directory(dir_.fd(), "directory", 0700);
  EXPECT_THROW(unlink_if_exists(dir_.fd(), "directory"), SysError);
  EXPECT_TRUE(unlink_if_exists(dir_.fd(), "directory", AT_REMOVEDIR));
}

// ---- looking ----

TEST_F(FileTest, ReadsLinksAndNothingElse) {
  put("file");
  ASSERT_EQ(::symlinkat("target", dir_.fd(), "link"), 0);
  EXPECT_EQ(read_link(dir_.fd(), "link"), "target");
  EXPECT_EQ(read_link(dir_.fd(), "file"), std::nullopt);
  EXPECT_EQ(read_link(dir_.fd(), "missing"), std::nullopt);
}

TEST_F(FileTest, StatFollowsLinksUnlessToldNotTo) {
  ASSERT_EQ(::symlinkat("missing", dir_.fd(), "dangling"), 0);
  EXPECT_FALSE(stat_at(dir_.fd(), "dangling"));
  EXPECT_TRUE(S_ISLNK(stat_at(dir_.fd(), "dangling", AT_SYMLINK_NOFOLLOW)->st_mode));
}

}  // namespace
}  // namespace knarr::sys
