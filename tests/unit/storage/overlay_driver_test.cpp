// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "storage/overlay/driver.h"
#include "storage/overlay/probe.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OverlayDriverTest : public StoreTest {
 protected:
  std::string run_root_ = directory_.path();
  std::string cache(const std::string& name) const {
    return sys::read_file_if_exists(AT_FDCWD, run_root_ + "/overlay-" + name).value_or("");
  }
};

TEST_F(OverlayDriverTest, ProbesLeaveNothingBehind) {
  probe_kernel_overlay(store_);
  probe_fuse_overlay(store_);
  EXPECT_THAT(list("staging"), IsEmpty());
  EXPECT_FALSE(store_.has_trash());
}

// What works depends on the machine; what must hold everywhere is that the answer has a reason.
TEST_F(OverlayDriverTest, ChoosesADriverAndSaysWhyNotTheKernels) {
  const OverlayFacts facts = choose_overlay_driver(store_, run_root_, "");
  EXPECT_EQ(facts.driver == OverlayDriver::kernel, facts.why_not_kernel.empty()) << facts.why_not_kernel;
  EXPECT_EQ(facts.driver == OverlayDriver::fuse, !facts.fuse_program.empty());
}

TEST_F(OverlayDriverTest, UsesTheKernelsOverlayWhereItWorks) {
  const KernelProbe probe = probe_kernel_overlay(store_);
  if (!probe.failure.empty()) GTEST_SKIP() << "no overlay on this machine: " << probe.failure;
  EXPECT_EQ(choose_overlay_driver(store_, run_root_, "").driver, OverlayDriver::kernel);
  EXPECT_EQ(choose_overlay_driver(store_, run_root_, "overlay").driver, OverlayDriver::kernel);
}

TEST_F(OverlayDriverTest, UsesFuseWhenAskedWhereItWorks) {
  const FuseProbe probe = probe_fuse_overlay(store_);
  if (!probe.failure.empty()) GTEST_SKIP() << "no fuse-overlayfs on this machine: " << probe.failure;
  const OverlayFacts facts = choose_overlay_driver(store_, run_root_, "fuse-overlayfs");
  EXPECT_EQ(facts.driver, OverlayDriver::fuse);
  EXPECT_EQ(facts.fuse_program, probe.program);
  EXPECT_EQ(facts.why_not_kernel, "the driver fuse-overlayfs was asked for");
}

TEST_F(OverlayDriverTest, VfsAlwaysWorks) {
  const OverlayFacts facts = choose_overlay_driver(store_, run_root_, "vfs");
  EXPECT_EQ(facts.driver, OverlayDriver::vfs);
  EXPECT_EQ(facts.why_not_kernel, "the driver vfs was asked for");
}

TEST_F(OverlayDriverTest, UnknownDriversAreRefused) {
  const std::string words = "unknown storage driver \"btrfs\": use overlay, fuse-overlayfs or vfs";
  EXPECT_EQ(error_text<InvalidArgument>([&] { choose_overlay_driver(store_, run_root_, "btrfs"); }), words);
  EXPECT_EQ(error_text<InvalidArgument>([&] { read_overlay_facts(store_, run_root_, "btrfs"); }), words);
}

TEST_F(OverlayDriverTest, RemembersTheAnswerForEachWish) {
  EXPECT_FALSE(read_overlay_facts(store_, run_root_, ""));
  const OverlayFacts chosen = choose_overlay_driver(store_, run_root_, "");
  choose_overlay_driver(store_, run_root_, "vfs");
  const auto remembered = read_overlay_facts(store_, run_root_, "");
  ASSERT_TRUE(remembered);
  EXPECT_EQ(remembered->driver, chosen.driver);
  EXPECT_EQ(remembered->append_layers, chosen.append_layers);
  EXPECT_EQ(remembered->data_layers, chosen.data_layers);
  EXPECT_EQ(remembered->fuse_program, chosen.fuse_program);
  EXPECT_EQ(remembered->why_not_kernel, chosen.why_not_kernel);
  EXPECT_EQ(read_overlay_facts(store_, run_root_, "vfs")->driver, OverlayDriver::vfs);
  EXPECT_FALSE(read_overlay_facts(store_, run_root_, "fuse-overlayfs"));
}

TEST_F(OverlayDriverTest, AnAnswerForAnotherFileSystemOrKernelOrATornOneCountsNothing) {
  choose_overlay_driver(store_, run_root_, "vfs");
  const std::string good = cache("vfs");
  const auto read_as = [&](const std::string& text) {
    sys::replace_file(AT_FDCWD, run_root_ + "/overlay-vfs", text, 0600, sys::Durability::none);
    return read_overlay_facts(store_, run_root_, "vfs").has_value();
  };
  EXPECT_TRUE(read_as(good));
  EXPECT_FALSE(read_as("key 1 5.4.0" + good.substr(good.find('\n'))));
  EXPECT_FALSE(read_as(""));
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(read_as(good.substr(0, length)));
  std::string unknown = good;
  unknown.replace(unknown.find("vfs"), 3, "zfs");
  EXPECT_FALSE(read_as(unknown));
}

void write_proc(const char* path, std::string_view text) {
  sys::write_all(sys::open_at(AT_FDCWD, path, O_WRONLY).get(), text, path);
}

// On a file system without user xattrs no overlay can work: the store is opened on a ramfs in a namespace.
TEST(OverlayDriver, FallsBackToVfsWithTheReasonWhereNoOverlayWorks) {
  const TemporaryDirectory directory;
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const auto statuses = race(1, [&](int) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return 77;
    write_proc("/proc/self/setgroups", "deny");
    write_proc("/proc/self/uid_map", concat("0 ", uid, " 1"));
    write_proc("/proc/self/gid_map", concat("0 ", gid, " 1"));
    if (::mount("ramfs", directory.path().c_str(), "ramfs", 0, "mode=0700") < 0) return 77;
    const Store store = Store::open(directory.path() + "/store");
    EXPECT_THAT(error_text<Unsupported>([&] { choose_overlay_driver(store, directory.path(), "overlay"); }),
                HasSubstr("the storage driver overlay does not work here: "));
    const OverlayFacts facts = choose_overlay_driver(store, directory.path(), "");
    EXPECT_EQ(facts.driver, OverlayDriver::vfs);
    EXPECT_THAT(facts.why_not_kernel, HasSubstr("the file system has no user xattrs"));
    EXPECT_THAT(facts.why_not_kernel, HasSubstr("; "));
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (statuses.front() == 77) GTEST_SKIP() << "no user namespaces on this machine";
  EXPECT_EQ(statuses.front(), 0);
}

}  // namespace
}  // namespace knarr::storage
