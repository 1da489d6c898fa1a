// SPDX-License-Identifier: Apache-2.0
#include "rootless/name_service.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "rootless/user.h"

namespace knarr::rootless {
namespace {

TEST(AskNameService, GivesWhatTheProgramPrints) {
  EXPECT_EQ(ask_name_service({"/bin/echo", "a b", "*"}), "a b *\n");
}

TEST(AskNameService, PassesNothingOfTheEnvironment) {
  ASSERT_EQ(::setenv("KNARR_NAME_SERVICE_TEST", "seen", 1), 0);
  EXPECT_EQ(ask_name_service({"/bin/sh", "-c", "echo \"$KNARR_NAME_SERVICE_TEST\""}), "\n");
}

TEST(AskNameService, AProgramThatFailsOrIsMissingAnswersNothing) {
  EXPECT_EQ(ask_name_service({"/bin/sh", "-c", "echo half; exit 1"}), "");
  EXPECT_EQ(ask_name_service({"/no/such/program"}), "");
}

// systemd's module, where it is installed, makes names for such numbers; the others know none.
TEST(FindUser, AsksTheNameServicesForWhoIsNotInTheFile) {
  const std::string answer = ask_name_service({"/usr/bin/getent", "passwd", "4000000000"});
  EXPECT_EQ(find_user(4000000000), parse_passwd(answer, 4000000000));
}

}  // namespace
}  // namespace knarr::rootless
