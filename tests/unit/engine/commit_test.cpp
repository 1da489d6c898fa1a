// SPDX-License-Identifier: Apache-2.0
#include "engine/commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* now = "2026-11-27T12:00:00Z";

storage::Image commit_of(const CreateRequest& request, const CommitOptions& options = {},
                         const storage::Image& base = plain_image()) {
  return plan_commit(plan(request, base), base, options, now);
}

TEST(PlanCommit, AnUntouchedContainerSaysWhatItsImageSaid) {
  storage::Image base = plain_image();
  base.config.env = {"PATH=/opt/bin", "A=1"};
  base.config.user = "app";
  base.config.working_dir = "/srv";
  base.config.labels = {{"l", "1"}};
  base.config.volumes = {"/data"};
  const storage::ImageConfig config = commit_of(plain_request(), {}, base).config;
  EXPECT_THAT(config.env, ElementsAre("PATH=/opt/bin", "A=1"));
  EXPECT_THAT(config.cmd, ElementsAre("bash"));
  EXPECT_EQ(config.user, "app");
  EXPECT_EQ(config.working_dir, "/srv");
  EXPECT_EQ(config.stop_signal, "");
  EXPECT_EQ(config.labels.at("l"), "1");
  EXPECT_THAT(config.volumes, ElementsAre("/data"));
}

TEST(PlanCommit, WhatTheEngineAndTheHostAddIsNotPassedOn) {
  CreateRequest request = plain_request();
  request.terminal = true;
  request.host_env = {"https_proxy=http://me:secret@proxy"};
  request.env = {"MINE=1"};
  EXPECT_THAT(commit_of(request).config.env, ElementsAre("MINE=1"));
}

TEST(PlanCommit, TheUserThatKeepIdChoosesStaysHere) {
  CreateRequest request = plain_request();
  request.user_namespace = "keep-id";
  EXPECT_EQ(commit_of(request).config.user, "");
  request.user_namespace = "host";
  request.user = "7";
  EXPECT_EQ(commit_of(request).config.user, "7");
}

TEST(PlanCommit, TheConfigIsMergedBeforeTheChanges) {
  CommitOptions options;
  options.config = storage::ImageConfig{.env = {"A=config", "B=config"}};
  options.changes = {"ENV B=change", "CMD [\"x\"]"};
  const storage::ImageConfig config = commit_of(plain_request(), options).config;
  EXPECT_THAT(config.env, ElementsAre("A=config", "B=change"));
  EXPECT_THAT(config.cmd, ElementsAre("x"));
}

TEST(PlanCommit, VolumesAreDeclaredWhenAskedFor) {
  CreateRequest request = plain_request();
  request.volumes = {"/home/me:/host", "name:/volume"};
  EXPECT_THAT(commit_of(request).config.volumes, IsEmpty());
  EXPECT_THAT(commit_of(request, {.include_volumes = true}).config.volumes, ElementsAre("/host", "/volume"));
}

TEST(PlanCommit, TheCommentOfAnImageIsDockers) {
  CommitOptions options{.author = "me", .message = "why"};
  EXPECT_EQ(commit_of(plain_request(), options).comment, "");
  options.format = storage::ManifestKind::docker;
  const storage::Image image = commit_of(plain_request(), options);
  EXPECT_EQ(image.comment, "why");
  EXPECT_EQ(image.author, "me");
  EXPECT_EQ(image.created, now);
}

}  // namespace
}  // namespace knarr::engine
