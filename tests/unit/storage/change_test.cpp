// SPDX-License-Identifier: Apache-2.0
#include "storage/image/change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ImageConfig changed(std::initializer_list<std::string_view> changes) {
  ImageConfig config;
  for (const std::string_view change : changes) apply_change(config, change);
  return config;
}

TEST(Change, CommandsHaveAJsonFormAndAShellForm) {
  EXPECT_THAT(changed({R"(CMD ["/bin/a", "b c", "\u00e9\"\n"])"}).cmd,
              ElementsAre("/bin/a", "b c", "\xc3\xa9\"\n"));
  EXPECT_THAT(changed({"CMD /bin/a  b"}).cmd, ElementsAre("/bin/sh", "-c", "/bin/a  b"));
  EXPECT_THAT(changed({"ENTRYPOINT [\"/e\"]"}).entrypoint, ElementsAre("/e"));
  EXPECT_THAT(changed({"ENTRYPOINT /e -x"}).entrypoint, ElementsAre("/bin/sh", "-c", "/e -x"));
  EXPECT_THAT(changed({"CMD []"}).cmd, ElementsAre());
  EXPECT_THAT(changed({"CMD [not json"}).cmd, ElementsAre("/bin/sh", "-c", "[not json"));
}

TEST(Change, AnEqualsSignMayFollowTheInstruction) {
  EXPECT_THAT(changed({"CMD=/bin/a"}).cmd, ElementsAre("/bin/sh", "-c", "/bin/a"));
  EXPECT_THAT(changed({"cmd=[\"/bin/a\"]"}).cmd, ElementsAre("/bin/a"));
}

TEST(Change, EnvTakesPairsAndOverwrites) {
  EXPECT_THAT(changed({"ENV A=1"}).env, ElementsAre("A=1"));
  EXPECT_THAT(changed({"ENV A=1 B=2"}).env, ElementsAre("A=1", "B=2"));
  EXPECT_THAT(changed({"ENV A=\"x y\" B='z \"' C=a\\ b"}).env, ElementsAre("A=x y", "B=z \"", "C=a b"));
  EXPECT_THAT(changed({"ENV A one value"}).env, ElementsAre("A=one value"));
  EXPECT_THAT(changed({"ENV A=b c"}).env, ElementsAre("A=b c"));
  EXPECT_THAT(changed({"ENV A=1", "ENV AB=2", "ENV A=3"}).env, ElementsAre("A=3", "AB=2"));
  EXPECT_THAT(changed({"ENV A="}).env, ElementsAre("A="));
}

TEST(Change, LabelsLikeEnv) {
  const ImageConfig config = changed({"LABEL a=1 b=\"2 3\"", "LABEL c d e"});
  EXPECT_EQ(config.labels, (std::map<std::string, std::string>{{"a", "1"}, {"b", "2 3"}, {"c", "d e"}}));
}

TEST(Change, PortsAreCheckedAndSorted) {
  EXPECT_THAT(changed({"EXPOSE 80 53/udp", "EXPOSE 80/tcp"}).exposed_ports, ElementsAre("53/udp", "80/tcp"));
  for (const char* bad :
       {"EXPOSE x", "EXPOSE 0", "EXPOSE 70000", "EXPOSE 80/icmp", "EXPOSE 80/", "EXPOSE /tcp"}) {
    EXPECT_THROW(changed({bad}), InvalidArgument) << bad;
  }
}

TEST(Change, VolumesHaveAJsonFormAndAList) {
  EXPECT_THAT(changed({"VOLUME /b /a", "VOLUME [\"/c d\"]"}).volumes, ElementsAre("/a", "/b", "/c d"));
  EXPECT_THROW(changed({"VOLUME [\"\"]"}), InvalidArgument);
}

TEST(Change, ARelativeWorkdirGoesOnFromTheLast) {
  EXPECT_EQ(changed({"WORKDIR /a"}).working_dir, "/a");
  EXPECT_EQ(changed({"WORKDIR /a", "WORKDIR b"}).working_dir, "/a/b");
  EXPECT_EQ(changed({"WORKDIR b"}).working_dir, "/b");
}

TEST(Change, UserAndStopSignal) {
  const ImageConfig config = changed({"USER app:app", "STOPSIGNAL SIGINT"});
  EXPECT_EQ(config.user, "app:app");
  EXPECT_EQ(config.stop_signal, "SIGINT");
}

TEST(Change, InstructionsForBuildsArePutAside) {
  EXPECT_THAT(changed({"ONBUILD RUN a  b", "onbuild COPY . /"}).on_build,
              ElementsAre("RUN a  b", "COPY . /"));
}

TEST(Change, AMergedConfigAddsAndReplaces) {
  ImageConfig config = changed({"ENV A=1 B=2", "CMD [\"a\"]", "USER me", "LABEL x=1 y=1", "EXPOSE 1"});
  merge_config(config, changed({"ENV B=3 C=", "CMD [\"b\"]", "LABEL y=2", "EXPOSE 2", "VOLUME /v"}));
  EXPECT_THAT(config.env, ElementsAre("A=1", "B=3", "C="));
  EXPECT_THAT(config.cmd, ElementsAre("b"));
  EXPECT_EQ(config.user, "me");
  EXPECT_THAT(config.labels, ElementsAre(std::pair("x", "1"), std::pair("y", "2")));
  EXPECT_THAT(config.exposed_ports, ElementsAre("1/tcp", "2/tcp"));
  EXPECT_THAT(config.volumes, ElementsAre("/v"));
}

TEST(Change, WhatItIsNotIsQuoted) {
  for (const char* bad : {"", "CMD", "CMD ", "RUN x", "ENV A", "ENV =x", "LABEL x", "ENV A=\"x", "CMDX y"}) {
    try {
      changed({bad});
      ADD_FAILURE() << bad;
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(error.message(), HasSubstr("change \"" + std::string(bad) + '"'));
    }
  }
}

}  // namespace
}  // namespace knarr::storage
