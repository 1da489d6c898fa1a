// SPDX-License-Identifier: Apache-2.0
// What planning asks the host: devices, limits, sources of mounts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/spec/spec.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// --- gather_spec_facts ---

TEST(GatherSpecFacts, ReadsTheCallersLimits) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_EQ(gather_spec_facts({}, rootless_host()).max_open_files, files.rlim_max);
  EXPECT_FALSE(gather_spec_facts({}, rootless_host()).hostname.empty());
}

TEST(GatherSpecFacts, FindsTheNumbersOfADevice) {
  ContainerConfig config;
  config.devices = {{"/dev/null", "/dev/hole"}};
  EXPECT_THAT(
      gather_spec_facts(config, rootless_host()).devices,
      Contains(SpecDevice{
          .path = "/dev/hole", .host_path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666}));
}

TEST(GatherSpecFacts, NamesADeviceThatIsNone) {
  ContainerConfig config;
  config.devices = {{"/dev/no-such-device", "/x"}};
  EXPECT_THAT(error_text<NotFound>([&] { gather_spec_facts(config, rootless_host()); }),
              HasSubstr("--device /dev/no-such-device"));
  config.devices = {{"/etc/passwd", "/x"}};
  EXPECT_THAT(error_text<InvalidArgument>([&] { gather_spec_facts(config, rootless_host()); }),
              HasSubstr("not a device"));
}

TEST(GatherSpecFacts, ADirectoryStandsForItsDevicesOnly) {
  const test::TemporaryDirectory directory;
  sys::create_file(directory.fd(), "file", "", 0644, sys::Durability::none);
  ASSERT_EQ(::symlink("/dev/null", directory.path("link").c_str()), 0);
  ContainerConfig config;
  config.devices = {{directory.path(), "/dev/d"}};
  EXPECT_THAT(gather_spec_facts(config, rootless_host()).devices, IsEmpty());
}

TEST(GatherSpecFacts, PrivilegedSeesTheDevicesButNotTheHostsTerminals) {
  ContainerConfig config;
  config.privileged = true;
  const auto devices = gather_spec_facts(config, rootless_host()).devices;
  EXPECT_THAT(devices, Contains(Field(&SpecDevice::path, "/dev/null")));
  EXPECT_THAT(devices, Each(Field(&SpecDevice::path, AllOf(Not(StartsWith("/dev/pts/")), Not("/dev/ptmx")))));
}

// --- prepare_mounts ---

struct Mounts : ::testing::Test {
  test::TemporaryDirectory directory;
  storage::Store store = storage::Store::open(directory.path("store"));
  Spec spec;

  void prepare() { prepare_mounts(store, spec); }
};
using PrepareMounts = Mounts;

TEST_F(PrepareMounts, NamesBothEndsOfAMissingSource) {
  spec.mounts = {
      {.destination = "/data", .type = "bind", .source = directory.path("gone"), .options = {"rbind"}}};
  EXPECT_EQ(error_text<NotFound>([&] { prepare(); }),
            "mounting /data from " + directory.path("gone") + ": no such file or directory");
}

TEST_F(PrepareMounts, LeavesOutWhatIsOptionalAndMissing) {
  spec.mounts = {
      {.destination = "/a", .type = "bind", .source = directory.path("gone"), .options = {"optional"}},
      {.destination = "/b", .type = "bind", .source = directory.path(), .options = {}},
      {.destination = "/c", .type = "tmpfs", .source = "tmpfs", .options = {}}};
  prepare();
  EXPECT_THAT(spec.mounts, SizeIs(2));
}

TEST_F(PrepareMounts, PinsASubpathToWhatIsThereNow) {
  sys::make_directories(directory.fd(), "volume/sub", 0755);
  spec.mounts = {{.destination = "/s",
                  .type = "bind",
                  .source = directory.path("volume"),
                  .options = {},
                  .subpath = "sub"}};
  prepare();
  struct stat status;
  ASSERT_EQ(::stat(directory.path("volume/sub").c_str(), &status), 0);
  EXPECT_EQ(spec.mounts[0].source_inode, status.st_ino);
  EXPECT_EQ(spec.mounts[0].source_device, status.st_dev);
}

TEST_F(PrepareMounts, ALinkAtASubpathDoesNotLeadOut) {
  sys::make_directories(directory.fd(), "volume", 0755);
  sys::make_directories(directory.fd(), "secret", 0755);
  ASSERT_EQ(::symlink("../secret", directory.path("volume/up").c_str()), 0);
  ASSERT_EQ(::symlink(directory.path("secret").c_str(), directory.path("volume/absolute").c_str()), 0);
  for (const char* subpath : {"up", "absolute"}) {
    spec.mounts = {{.destination = "/s",
                    .type = "bind",
                    .source = directory.path("volume"),
                    .options = {},
                    .subpath = subpath}};
    EXPECT_THAT(error_text<SysError>([&] { prepare(); }), HasSubstr("no such file")) << subpath;
  }
}

TEST_F(PrepareMounts, ScratchDirectoriesAreEmptyEachTime) {
  const std::string scratch = store.path("containers/c/mounts/0");
  spec.scratch_directories = {scratch + "/upper", scratch + "/work"};
  prepare();
  sys::create_file(AT_FDCWD, scratch + "/upper/left-over", "x", 0644, sys::Durability::none);
  prepare();
  EXPECT_THAT(sys::list_directory(AT_FDCWD, scratch + "/upper"), IsEmpty());
  EXPECT_TRUE(sys::stat_at(AT_FDCWD, scratch + "/work"));
  EXPECT_TRUE(store.has_trash());
}

TEST_F(PrepareMounts, ScratchStaysWithinTheStore) {
  spec.scratch_directories = {directory.path("elsewhere")};
  EXPECT_THROW(prepare(), Error);
  EXPECT_FALSE(sys::stat_at(AT_FDCWD, directory.path("elsewhere")));
}

}  // namespace
}  // namespace knarr::engine
