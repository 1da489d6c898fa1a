// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"
#include "tests/namespace/user_child.h"
#include "tests/support/temporary_directory.h"

namespace knarr::sys {
namespace {

using ::testing::AnyOf;

class FileOfUser : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::optional<test::TestUser> found = test::find_test_user();
    if (!found) GTEST_SKIP() << "no user with subordinate ids: useradd -m knarr-test";
    user_ = *found;
  }
  test::TestUser user_;
};

class RemoveTree : public FileOfUser {};

std::string what_is_left(const test::TemporaryDirectory& dir, const std::string& name) {
  return stat_at(dir.fd(), name, AT_SYMLINK_NOFOLLOW) ? "left" : "removed";
}

// Root would not notice: these need an ordinary user without privilege.
TEST_F(RemoveTree, OpensDirectoriesWithoutPermissionBits) {
  for (const mode_t mode : {0u, 0100u, 0200u, 0400u, 0500u, 0600u}) {
    EXPECT_EQ(test::as_user(
                  user_,
                  [&] {
                    test::TemporaryDirectory dir;
                    make_directories(dir.fd(), "tree/work/work/index", 0700);
                    create_file(dir.fd(), "tree/work/work/file", "", 0600, Durability::none);
                    for (const char* name : {"tree/work/work/index", "tree/work/work", "tree/work", "tree"}) {
                      if (::fchmodat(dir.fd(), name, mode, 0) < 0) throw_errno("closing ", name);
                    }
                    remove_tree(dir.fd(), "tree");
                    return what_is_left(dir, "tree");
                  }),
              "removed")
        << "mode " << mode;
  }
}

TEST_F(RemoveTree, GoesOnAfterAFailureAndNamesTheFirst) {
  // Files in directories of a subordinate id: out of the user's reach without R.
  EXPECT_THAT(test::as_user(user_,
                            [] {
                              test::TemporaryDirectory dir;
                              make_directories(dir.fd(), "tree/a/theirs", 0755);
                              make_directories(dir.fd(), "tree/b/theirs", 0755);
                              make_directories(dir.fd(), "tree/z/mine", 0755);
                              for (const char* theirs : {"tree/a/theirs", "tree/b/theirs"}) {
                                create_file(dir.fd(), concat(theirs, "/file"), "", 0600, Durability::none);
                              }
                              test::Child in_r([&]() -> std::string {
                                rootless::enter_r(rootless::gather_host_facts(), {});
                                for (const char* theirs : {"tree/a/theirs", "tree/b/theirs"}) {
                                  if (::fchownat(dir.fd(), theirs, 1, 1, 0) < 0) throw_errno("chown");
                                }
                                return "";
                              });
                              std::string told = in_r.answer();
                              try {
                                remove_tree(dir.fd(), "tree");
                              } catch (const SysError& error) {
                                told += error.what();
                              }
                              told += ' ' + what_is_left(dir, "tree/a/theirs/file") + ' ' +
                                      what_is_left(dir, "tree/z");
                              // With R's privilege the rest goes.
                              rootless::enter_r(rootless::gather_host_facts(), {});
                              remove_tree(dir.fd(), "tree");
                              return told + ' ' + what_is_left(dir, "tree");
                            }),
              AnyOf("removing tree/a/theirs/file: permission denied left removed removed",
                    "removing tree/b/theirs/file: permission denied left removed removed"));
}

TEST_F(RemoveTree, NeverCrossesAMountPoint) {
  EXPECT_EQ(test::as_user(user_,
                          [] {
                            test::TemporaryDirectory dir;
                            make_directories(dir.fd(), "precious", 0700);
                            create_file(dir.fd(), "precious/file", "", 0600, Durability::none);
                            make_directories(dir.fd(), "tree/volume", 0700);
                            create_file(dir.fd(), "tree/file", "", 0600, Durability::none);
                            rootless::enter_r(rootless::gather_host_facts(), {});
                            if (::unshare(CLONE_NEWNS) < 0) throw_errno("unsharing");
                            // A bind mount of the same file system: the device number would not tell.
                            if (::mount(dir.path("precious").c_str(), dir.path("tree/volume").c_str(),
                                        nullptr, MS_BIND, nullptr) < 0) {
                              throw_errno("binding");
                            }
                            // Looked up from here: dir.fd() belongs to the mount namespace left behind.
                            const UniqueFd here = open_directory(AT_FDCWD, dir.path());
                            std::string told;
                            try {
                              remove_tree(here.get(), "tree");
                            } catch (const SysError& error) {
                              told = error.what();
                            }
                            told += ' ' + what_is_left(dir, "precious/file") + ' ' +
                                    what_is_left(dir, "tree/file");
                            ::umount2(dir.path("tree/volume").c_str(), MNT_DETACH);
                            return told;
                          }),
            "removing tree/volume: device or resource busy left removed");
}

// ---- creating, where the usual way is closed ----

class CreateFile : public FileOfUser {};

TEST_F(CreateFile, WorksWithoutProc) {
  EXPECT_EQ(test::as_user(user_,
                          [] {
                            test::TemporaryDirectory dir;
                            rootless::enter_r(rootless::gather_host_facts(), {});
                            if (::unshare(CLONE_NEWNS) < 0) throw_errno("unsharing");
                            if (::mount("tmpfs", "/proc", "tmpfs", 0, nullptr) < 0)
                              throw_errno("covering /proc");
                            create_file(dir.fd(), "file", "content", 0640, Durability::synced);
                            std::string told = read_file(dir.fd(), "file");
                            try {
                              create_file(dir.fd(), "file", "other", 0640, Durability::none);
                            } catch (const Conflict&) {
                              told += " conflict ";
                            }
                            return told + std::to_string(list_directory(dir.fd(), ".").size());
                          }),
            "content conflict 1");
}

}  // namespace
}  // namespace knarr::sys
