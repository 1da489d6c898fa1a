// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "storage/image/image_checks.h"

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ShippedBlob blob(char digit, Compression compression) {
  return {{"sha256", std::string(64, digit)}, 1, compression, {}};
}

std::string digits(const std::vector<ShippedBlob>& blobs) {
  std::string text;
  for (const ShippedBlob& each : blobs) text += each.digest.hex[0];
  return text;
}

const std::vector<ShippedBlob> known{blob('z', Compression::zstd), blob('x', Compression::xz),
                                     blob('a', Compression::gzip), blob('b', Compression::gzip),
                                     blob('n', Compression::none)};

TEST(ShippedBlobChoice, TheOneTheImageCameWithIsFirst) {
  EXPECT_EQ(digits(choose_shipped_blobs(known, blob('b', {}).digest, ManifestKind::oci, {})), "bzan");
}

TEST(ShippedBlobChoice, DockersManifestsHaveNoZstd) {
  EXPECT_EQ(digits(choose_shipped_blobs(known, blob('z', {}).digest, ManifestKind::docker, {})), "abn");
}

TEST(ShippedBlobChoice, WhatIsWantedInAnotherCompressionIsMadeAnew) {
  const Digest original = blob('a', {}).digest;
  EXPECT_EQ(digits(choose_shipped_blobs(known, original, ManifestKind::oci,
                                        {.format = Compression::zstd, .is_forced = true})),
            "z");
  EXPECT_EQ(digits(choose_shipped_blobs(known, original, ManifestKind::oci, {.is_forced = true})), "ab");
  EXPECT_EQ(digits(choose_shipped_blobs(known, original, ManifestKind::oci, {.format = Compression::zstd})),
            "azbn");
}

TEST(MountPlan, OtherRepositoriesOfTheSameHost) {
  EXPECT_THAT(repositories_to_mount_from({"h:1/a/b", "h/c", "h:1/own", "h:1/d", "h:10/e"}, "h:1", "own"),
              ElementsAre("a/b", "d"));
  EXPECT_THAT(repositories_to_mount_from({}, "h", "own"), IsEmpty());
  EXPECT_EQ(repositories_to_mount_from({"h/1", "h/2", "h/3", "h/4"}, "h", "own").size(), 3u);
}

TEST(ManifestKindChoice, AsTheImageCame) {
  EXPECT_EQ(choose_manifest_kind({}, docker_manifest_type), ManifestKind::docker);
  EXPECT_EQ(choose_manifest_kind({}, oci_manifest_type), ManifestKind::oci);
  EXPECT_EQ(choose_manifest_kind({.kind = ManifestKind::oci}, docker_manifest_type), ManifestKind::oci);
}

TEST(ManifestKindChoice, ZstdNeedsOci) {
  PushOptions options{.compression = {.format = Compression::zstd}};
  EXPECT_EQ(choose_manifest_kind(options, docker_manifest_type), ManifestKind::oci);
  options.kind = ManifestKind::docker;
  EXPECT_THROW(choose_manifest_kind(options, docker_manifest_type), InvalidArgument);
}

TEST(Destination, WithoutARegistryItIsDockers) {
  EXPECT_EQ(render(parse_destination("me/app")), "docker.io/me/app:latest");
  EXPECT_EQ(render(parse_destination("app:1")), "docker.io/library/app:1");
  EXPECT_EQ(render(parse_destination("localhost:5000/app")), "localhost:5000/app:latest");
  EXPECT_THROW(parse_destination("app@sha256:" + std::string(64, 'a')), InvalidArgument);
}

TEST(LayerTypes, OfBothKinds) {
  EXPECT_EQ(layer_media_type(ManifestKind::oci, Compression::zstd),
            "application/vnd.oci.image.layer.v1.tar+zstd");
  EXPECT_EQ(layer_media_type(ManifestKind::docker, Compression::gzip),
            "application/vnd.docker.image.rootfs.diff.tar.gzip");
  EXPECT_EQ(layer_media_type(ManifestKind::docker, Compression::none),
            "application/vnd.docker.image.rootfs.diff.tar");
  EXPECT_THROW(layer_media_type(ManifestKind::docker, Compression::zstd), Unsupported);
}

}  // namespace
}  // namespace knarr::storage
