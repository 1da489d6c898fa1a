// SPDX-License-Identifier: Apache-2.0
#include "rootless/paths.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/user_namespace.h"
#include "tests/namespace/user_child.h"

namespace knarr::rootless {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void mount_private_tmpfs(const char* path) {
  if (::mount("tmpfs", path, "tmpfs", 0, "mode=1777") < 0) throw_errno("mounting over ", path);
}

// In R with /tmp and /run empty and private: nothing of this machine's is seen or changed. The paths are the
// user's own in R too.
class PathsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::optional<test::TestUser> found = test::find_test_user();
    if (!found) GTEST_SKIP() << "no user with subordinate ids: useradd -m knarr-test";
    user_ = *found;
  }

  std::string in_private_tmp(const std::function<std::string()>& body) {
    return test::as_user(user_, [&] {
      enter_r(gather_host_facts(), {});
      if (::unshare(CLONE_NEWNS) < 0) throw_errno("unsharing");
      if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        throw_errno("making mounts private");
      mount_private_tmpfs("/tmp");
      mount_private_tmpfs("/run");
      sys::make_directory(AT_FDCWD, "/tmp/home", 0700);
      ::setenv("HOME", "/tmp/home", 1);
      return body();
    });
  }

  static std::string render(const Paths& paths) { return paths.store_root + ' ' + paths.run_root; }
  static mode_t mode(const std::string& path) { return sys::stat_at(AT_FDCWD, path)->st_mode & 07777; }
  std::string fallback() const { return concat("/tmp/knarr-run-", user_.uid); }

  test::TestUser user_;
};

TEST_F(PathsTest, DefaultsAreInTheHomeAndInTmp) {
  EXPECT_EQ(in_private_tmp([] { return render(prepare_paths({})); }),
            "/tmp/home/.local/share/knarr " + fallback());
}

TEST_F(PathsTest, BothDirectoriesAreMadePrivate) {
  EXPECT_EQ(in_private_tmp([] {
              ::umask(0);
              const Paths paths = prepare_paths({});
              return concat(mode(paths.store_root), ' ', mode(paths.run_root), ' ', mode("/tmp/home/.local"));
            }),
            concat(0700, ' ', 0700, ' ', 0700));
}

TEST_F(PathsTest, XdgVariablesAreHonoured) {
  EXPECT_EQ(in_private_tmp([] {
              sys::make_directory(AT_FDCWD, "/tmp/runtime", 0700);
              ::setenv("XDG_DATA_HOME", "/tmp/data", 1);
              ::setenv("XDG_RUNTIME_DIR", "/tmp/runtime", 1);
              return render(prepare_paths({}));
            }),
            "/tmp/data/knarr /tmp/runtime/knarr");
}

TEST_F(PathsTest, RelativeXdgVariablesAreIgnored) {
  EXPECT_EQ(in_private_tmp([] {
              ::setenv("XDG_DATA_HOME", "data", 1);
              ::setenv("XDG_RUNTIME_DIR", "runtime", 1);
              return render(prepare_paths({}));
            }),
            "/tmp/home/.local/share/knarr " + fallback());
}

TEST_F(PathsTest, OptionsComeBeforeEverything) {
  EXPECT_EQ(in_private_tmp([] {
              ::chdir("/tmp/home");
              ::setenv("XDG_DATA_HOME", "/tmp/data", 1);
              const std::string paths = render(prepare_paths({"relative/root", "/tmp/run/root"}));
              return paths + (sys::stat_at(AT_FDCWD, "/tmp/data") ? " and more" : "");
            }),
            "/tmp/home/relative/root /tmp/run/root");
}

TEST_F(PathsTest, ADirectoryNamedByAnOptionKeepsItsMode) {
  EXPECT_EQ(in_private_tmp([] {
              sys::make_directory(AT_FDCWD, "/tmp/shared", 0755);
              prepare_paths({"/tmp/shared", "/tmp/run"});
              return std::to_string(mode("/tmp/shared"));
            }),
            std::to_string(0755));
}

TEST_F(PathsTest, AMissingVariableFindsTheLoginsRuntimeDirectory) {
  EXPECT_EQ(in_private_tmp([this] {
              sys::make_directories(AT_FDCWD, concat("/run/user/", user_.uid), 0700);
              return prepare_paths({}).run_root;
            }),
            concat("/run/user/", user_.uid, "/knarr"));
}

TEST_F(PathsTest, ARuntimeDirectoryThatIsMissingOrAnothersIsNotUsed) {
  EXPECT_EQ(in_private_tmp([] {
              ::setenv("XDG_RUNTIME_DIR", "/tmp/nowhere", 1);
              const std::string missing = prepare_paths({}).run_root;
              sys::make_directory(AT_FDCWD, "/tmp/another", 0777);
              if (::chown("/tmp/another", 1, 1) < 0) throw_errno("giving a directory away");
              ::setenv("XDG_RUNTIME_DIR", "/tmp/another", 1);
              return missing + ' ' + prepare_paths({}).run_root;
            }),
            fallback() + ' ' + fallback());
}

TEST_F(PathsTest, TheFallbacksModeIsForced) {
  EXPECT_EQ(in_private_tmp([this] {
              sys::make_directory(AT_FDCWD, fallback(), 0777);
              prepare_paths({});
              return std::to_string(mode(fallback()));
            }),
            std::to_string(0700));
}

TEST_F(PathsTest, AFallbackThatIsALinkIsRefused) {
  EXPECT_THAT(in_private_tmp([this] {
                sys::make_directory(AT_FDCWD, "/tmp/elsewhere", 0755);
                ::symlink("/tmp/elsewhere", fallback().c_str());
                return prepare_paths({}).run_root;
              }),
              AllOf(StartsWith(concat("threw: preparing the run directory: ", fallback(), " is a link")),
                    HasSubstr("hint: remove it")));
}

TEST_F(PathsTest, AFallbackOfAnotherUserIsRefused) {
  EXPECT_THAT(
      in_private_tmp([this] {
        sys::make_directory(AT_FDCWD, fallback(), 0777);
        if (::chown(fallback().c_str(), 1, 1) < 0) throw_errno("giving a directory away");
        return prepare_paths({}).run_root;
      }),
      StartsWith(concat("threw: preparing the run directory: ", fallback(), " belongs to another user")));
}

TEST_F(PathsTest, AFileInTheWayIsNamed) {
  EXPECT_THAT(in_private_tmp([this] {
                sys::create_file(AT_FDCWD, fallback(), "", 0600, sys::Durability::none);
                return prepare_paths({}).run_root;
              }),
              AllOf(StartsWith("threw: preparing the run directory: "), HasSubstr("not a directory")));
}

TEST_F(PathsTest, OutsideAndInsideOfRTheyAreTheSame) {
  const auto run_root = [] { return prepare_paths({"/tmp/home/root", ""}).run_root; };
  EXPECT_EQ(in_private_tmp(run_root), fallback());
  // Outside, with the machine's own /tmp or /run/user: only the choice is looked at.
  const std::string outside = test::as_user(user_, [] { return std::to_string(outermost_known_uid()); });
  EXPECT_EQ(outside, std::to_string(user_.uid));
}

}  // namespace
}  // namespace knarr::rootless
