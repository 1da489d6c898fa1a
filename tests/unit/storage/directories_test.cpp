// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/directories.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <vector>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/support/temporary_directory.h"

namespace knarr::storage {
namespace {

bool is_same_directory(const DirectoryHandle& handle, const std::string& path) {
  struct stat a, b;
  return ::fstat(handle->get(), &a) == 0 && ::stat(path.c_str(), &b) == 0 && a.st_ino == b.st_ino;
}

std::size_t open_descriptors() {
  return sys::list_directory(AT_FDCWD, "/proc/self/fd").size();
}

TEST(Directories, AreFoundByTheirPath) {
  test::TemporaryDirectory top;
  Directories directories(top.fd());
  Directory& usr = directories.add(directories.root(), "usr");
  Directory& lib = directories.add(usr, "lib");
  EXPECT_EQ(directories.find(""), &directories.root());
  EXPECT_EQ(directories.find("usr/lib"), &lib);
  EXPECT_EQ(directories.find_child(usr, "lib"), &lib);
  EXPECT_EQ(directories.find("lib"), nullptr);
  EXPECT_EQ(lib.parent, &usr);
}

TEST(Directories, AreForgottenWithAllBelow) {
  test::TemporaryDirectory top;
  sys::make_directories(top.fd(), "a/b", 0755);
  Directories directories(top.fd());
  Directory& a = directories.add(directories.root(), "a");
  Directory& b = directories.add(a, "b");
  directories.add(directories.root(), "ab");
  directories.open(b);
  directories.forget(a);
  EXPECT_EQ(directories.find("a"), nullptr);
  EXPECT_EQ(directories.find("a/b"), nullptr);
  EXPECT_NE(directories.find("ab"), nullptr);
  EXPECT_TRUE(b.is_removed);
  EXPECT_EQ(b.handle, nullptr);
}

TEST(Directories, KeepFewDescriptorsAndOpenAgain) {
  test::TemporaryDirectory top;
  Directories directories(top.fd());
  std::vector<Directory*> all;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "d" + std::to_string(i);
    sys::make_directories(top.fd(), name + "/inner", 0755);
    all.push_back(&directories.add(directories.add(directories.root(), name), "inner"));
  }
  const std::size_t before = open_descriptors();
  const DirectoryHandle first = directories.open(*all[0]);
  for (Directory* const directory : all) directories.open(*directory);
  EXPECT_LT(open_descriptors(), before + 100);
  // Whoever held one still has it; whoever asks gets it again.
  EXPECT_TRUE(is_same_directory(first, top.path("d0/inner")));
  EXPECT_TRUE(is_same_directory(directories.open(*all[0]), top.path("d0/inner")));
}

TEST(Directories, AreNeverOpenedThroughALink) {
  test::TemporaryDirectory top;
  sys::make_directory(top.fd(), "real", 0755);
  if (::symlinkat("real", top.fd(), "link") < 0) throw_errno("linking");
  Directories directories(top.fd());
  Directory& link = directories.add(directories.root(), "link");
  EXPECT_THROW(directories.open(link), SysError);
}

TEST(Directories, HaveALimit) {
  test::TemporaryDirectory top;
  Directories directories(top.fd());
  const auto add_many = [&] {
    for (int i = 0; i < (1 << 20); ++i) directories.add(directories.root(), std::to_string(i));
  };
  EXPECT_THROW(add_many(), InvalidArgument);
}

}  // namespace
}  // namespace knarr::storage
