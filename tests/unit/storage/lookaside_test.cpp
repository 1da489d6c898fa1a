// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/lookaside.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using ::testing::HasSubstr;

const Digest digest{"sha256", std::string(64, 'a')};

LookasideConfig parse(const std::string& yaml) {
  LookasideConfig config;
  merge_registries_d(config, yaml, "a.yaml");
  return config;
}

std::string url(const LookasideConfig& config, const std::string& name) {
  ConfigPlaces places;
  places.home = "/home/me";
  const std::string whole = lookaside_url(config, places, normalize(parse_reference(name)), digest);
  return whole.substr(0, whole.find('@'));
}

TEST(Lookaside, TheMostSpecificScopeThatNamesAPlaceCounts) {
  const LookasideConfig config = parse(R"(
default-docker:
  lookaside: file:///default/
docker:
  quay.io:
    lookaside: https://quay/sigs
  quay.io/team:
    use-sigstore-attachments: true
  quay.io/team/app:1:
    lookaside: file:///exact
  "*.corp.test":
    lookaside: 'file:///corp'
)");
  EXPECT_EQ(url(config, "quay.io/x/y"), "https://quay/sigs/x/y");
  EXPECT_EQ(url(config, "quay.io/team/app"), "https://quay/sigs/team/app");
  EXPECT_EQ(url(config, "quay.io/team/app:1"), "file:///exact/team/app");
  EXPECT_EQ(url(config, "a.corp.test:5000/x"), "file:///corp/x");
  EXPECT_EQ(url(config, "docker.io/library/busybox"), "file:///default/library/busybox");
}

TEST(Lookaside, TheManifestIsInThePath) {
  EXPECT_THAT(lookaside_url(parse("default-docker: {lookaside: http://a}"), {}, parse_reference("b.test/c:1"),
                            digest),
              HasSubstr("http://a/c@sha256=" + digest.hex));
}

TEST(Lookaside, WhereNobodySaysItIsTheUsersOwn) {
  for (const char* yaml :
       {"", "---\n", "docker:\n", "default-docker:\n", "default-docker:\n  other: [1, 2]\n"})
    EXPECT_EQ(url(parse(yaml), "a.test/b"), "file:///home/me/.local/share/containers/sigstore/b");
}

TEST(Lookaside, TheOldNameIsKnown) {
  EXPECT_EQ(url(parse("default-docker: {sigstore: 'file:///old'}"), "a.test/b"), "file:///old/b");
  EXPECT_EQ(url(parse("default-docker: {sigstore: 'file:///old', lookaside: 'file:///new'}"), "a.test/b"),
            "file:///new/b");
}

TEST(Lookaside, NothingIsSaidInTwoFiles) {
  LookasideConfig config = parse("default-docker: {lookaside: 'file:///a'}\ndocker: {b.test: {}}");
  const auto again = [&](const std::string& yaml) {
    return error_text<InvalidArgument>([&] { merge_registries_d(config, yaml, "b.yaml"); });
  };
  EXPECT_EQ(again("\ndefault-docker: {x: y}"), "b.yaml:2: default-docker is in a.yaml already");
  EXPECT_EQ(again("docker: {b.test: {}}"), "b.yaml:1: b.test is in a.yaml already");
}

TEST(Lookaside, WhatIsNotUnderstoodIsNamed) {
  const auto refusal = [](const std::string& yaml) {
    return error_text<InvalidArgument>([&] { parse(yaml); });
  };
  EXPECT_THAT(refusal("docker: [1"), HasSubstr("a.yaml:"));
  EXPECT_EQ(refusal("docker: [1]"), "a.yaml:1: expected names with values");
  EXPECT_EQ(refusal("docker:\n  a.test: x"), "a.yaml:2: expected names with values");
  EXPECT_EQ(refusal("default-docker: {lookaside: [x]}"), "a.yaml:1: expected a text");
  EXPECT_EQ(refusal("default-docker: {lookaside: ftp://x}"),
            "a.yaml:1: \"ftp://x\" is no URL of file:, http: or https:");
}

}  // namespace
}  // namespace knarr::storage
