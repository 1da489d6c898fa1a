// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/parts.h"

namespace knarr::engine {
namespace {

std::vector<std::string> lines(const ContainerConfig& config) {
  rootless::HostFacts host;
  host.uid = 1000;
  host.gid = 100;
  host.user_name = "maria";
  Spec spec;
  build_accounts({.config = config, .host = host}, spec);
  std::vector<std::string> lines;
  for (const SpecAccount& account : spec.accounts) lines.push_back(account.path + " " + account.line);
  return lines;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BuildAccounts, KeepIdIntroducesTheUserAndTheirGroup) {
  ContainerConfig config;
  config.namespaces.user = "keep-id";
  config.working_dir = "/src";
  EXPECT_THAT(lines(config), ElementsAre("/etc/passwd maria:*:1000:100:maria:/src:/bin/sh\n",
                                         "/etc/group maria:x:100:maria\n"));
}

TEST(BuildAccounts, ANumericUserGetsANameAndNamedOnesDoNot) {
  ContainerConfig config;
  config.user = "1234:5";
  EXPECT_THAT(lines(config), ElementsAre("/etc/passwd 1234:*:1234:5:container user:/:/bin/sh\n"));
  config.user = "daemon";
  EXPECT_THAT(lines(config), IsEmpty());
  config.user = "";
  EXPECT_THAT(lines(config), IsEmpty());
}

TEST(BuildAccounts, PasswdFalseLeavesTheFilesAlone) {
  ContainerConfig config;
  config.user = "1234";
  config.edit_passwd = false;
  EXPECT_THAT(lines(config), IsEmpty());
}

TEST(BuildAccounts, EntriesOfTheUsersOwnHaveTheirVariablesFilledIn) {
  ContainerConfig config;
  config.user = "1234";
  config.passwd_entry = "$USERNAME:x:$UID:$GID::$HOME:/bin/zsh";
  config.group_entry = "$GROUPNAME:x:$GID:$USERLIST";
  EXPECT_THAT(lines(config),
              ElementsAre("/etc/passwd 1234:x:1234:0::/:/bin/zsh\n", "/etc/group 0:x:0:1234\n"));
}

TEST(BuildAccounts, AWorkingDirectoryCannotAddALine) {
  ContainerConfig config;
  config.user = "1234";
  config.working_dir = "/x\nroot2::0:0::/:/bin/sh";
  EXPECT_THAT(lines(config), ElementsAre("/etc/passwd 1234:*:1234:0:container user:/:/bin/sh\n"));
}

}  // namespace
}  // namespace knarr::engine
