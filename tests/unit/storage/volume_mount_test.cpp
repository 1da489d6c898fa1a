// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/volume_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = VolumeMount::Kind;

VolumeMount parse(std::map<std::string, std::string> options) {
  Volume volume;
  volume.name = "data";
  volume.mountpoint = "/store/volumes/data/_data";
  volume.options = std::move(options);
  return parse_volume_options(volume);
}

TEST(ParseVolumeOptions, WithoutAnyItIsADirectory) {
  const VolumeMount mount = parse({});
  EXPECT_EQ(mount.kind, Kind::directory);
  EXPECT_EQ(mount.source, "/store/volumes/data/_data");
}

TEST(ParseVolumeOptions, KnowsBinds) {
  for (const auto& options : {std::map<std::string, std::string>{{"type", "none"}, {"o", "bind,ro"}},
                              {{"type", "bind"}, {"o", "bind,ro"}},
                              {{"o", "bind,ro"}}}) {
    auto all = options;
    all["device"] = "/srv";
    const VolumeMount mount = parse(all);
    EXPECT_EQ(mount.kind, Kind::bind);
    EXPECT_EQ(mount.source, "/srv");
    EXPECT_FALSE(mount.recursive);
    EXPECT_THAT(mount.words, ElementsAre("ro"));
  }
  EXPECT_TRUE(parse({{"type", "none"}, {"o", "rbind"}, {"device", "/srv"}}).recursive);
  EXPECT_THROW(parse({{"type", "bind"}}), InvalidArgument);
  EXPECT_THROW(parse({{"type", "bind"}, {"device", "srv"}}), InvalidArgument);
}

TEST(ParseVolumeOptions, KnowsTmpfs) {
  const VolumeMount mount = parse({{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m,mode=700,noexec"}});
  EXPECT_EQ(mount.kind, Kind::tmpfs);
  EXPECT_THAT(mount.words, ElementsAre("size=1m", "mode=700", "noexec"));
  EXPECT_THAT(parse({{"type", "tmpfs"}}).words, IsEmpty());
  EXPECT_THROW(parse({{"type", "tmpfs"}, {"o", "bind"}}), InvalidArgument);
}

TEST(ParseVolumeOptions, RefusesTheRest) {
  EXPECT_THROW(parse({{"type", "nfs"}, {"device", "host:/"}, {"o", "addr=host"}}), Unsupported);
  EXPECT_THROW(parse({{"type", "ext4"}, {"device", "/dev/sda"}}), Unsupported);
  EXPECT_THROW(parse({{"o", "uid=5"}}), Unsupported);
  EXPECT_THROW(parse({{"o", "nonsense"}}), InvalidArgument);
  EXPECT_THROW(parse({{"device", "/srv"}}), InvalidArgument);
  EXPECT_THROW(parse({{"copy", "1"}}), InvalidArgument);
}

}  // namespace
}  // namespace knarr::storage
