// SPDX-License-Identifier: Apache-2.0
#include "engine/network/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "rootless/sys/file.h"
#include "tests/support/temporary_directory.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Names : public ::testing::Test {
 protected:
  NameEntry living(const char* address) const {
    return {.monitor = sys::identify(::getpid()), .addresses = {*netns::parse_ip(address)}};
  }
  std::vector<std::string> lookup(std::string_view name) const {
    std::vector<std::string> texts;
    for (const netns::IpAddress& address : lookup_name(run_.path(), "web", name))
      texts.push_back(netns::render_ip(address));
    return texts;
  }
  test::TemporaryDirectory run_;
};

TEST_F(Names, AreFoundInAnyCase) {
  publish_names(run_.path(), "web", {"Db", "alias.one"}, "c1", living("10.0.0.2"));
  EXPECT_THAT(lookup("dB"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(lookup("ALIAS.one."), ElementsAre("10.0.0.2"));
  EXPECT_THAT(lookup("other"), IsEmpty());
}

TEST_F(Names, OfSeveralContainersHaveAllAddresses) {
  publish_names(run_.path(), "web", {"db"}, "c1", living("10.0.0.3"));
  publish_names(run_.path(), "web", {"db"}, "c2", living("10.0.0.2"));
  EXPECT_THAT(lookup("db"), ElementsAre("10.0.0.2", "10.0.0.3"));
  withdraw_names(run_.path(), "web", {"DB"}, "c1");
  EXPECT_THAT(lookup("db"), ElementsAre("10.0.0.2"));
}

TEST_F(Names, OfDeadMonitorsAreNotThere) {
  NameEntry dead = living("10.0.0.2");
  ++dead.monitor.start_time;
  publish_names(run_.path(), "web", {"db"}, "c1", dead);
  EXPECT_THAT(lookup("db"), IsEmpty());
}

TEST_F(Names, ThatCouldBePathsAreNoNames) {
  publish_names(run_.path(), "web", {"../escape", ".", "", "a/b", "-x", "ok"}, "c1", living("10.0.0.2"));
  EXPECT_THAT(lookup("ok"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(sys::list_directory(AT_FDCWD, run_.path("net/networks/web/names")), ElementsAre("ok"));
  EXPECT_THAT(lookup("../names/ok"), IsEmpty());
  EXPECT_FALSE(canonical_name(std::string(254, 'a')));
}

TEST_F(Names, LeaveNothingBehind) {
  publish_names(run_.path(), "web", {"db"}, "c1", living("10.0.0.2"));
  withdraw_names(run_.path(), "web", {"db", "never"}, "c1");
  EXPECT_THAT(sys::list_directory(AT_FDCWD, run_.path("net/networks/web/names")), IsEmpty());
}

TEST(NameEntryText, IsReadBackAsWritten) {
  const NameEntry entry{.monitor = {.pid = 7, .start_time = 8},
                        .addresses = {*netns::parse_ip("10.0.0.2"), *netns::parse_ip("fd00::2")}};
  EXPECT_EQ(render_name_entry(entry), "7 8\n10.0.0.2\nfd00::2\n");
  EXPECT_EQ(parse_name_entry(render_name_entry(entry)), entry);
  for (const char* text : {"", "7 8", "7\n", "7 8\nx\n", "x 8\n"})
    EXPECT_FALSE(parse_name_entry(text)) << text;
}

}  // namespace
}  // namespace knarr::engine
