// SPDX-License-Identifier: Apache-2.0
#include "engine/network/port_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> rendered(const std::vector<PortMapping>& mappings) {
  std::vector<std::string> texts;
  for (const PortMapping& mapping : mappings) texts.push_back(render_port(mapping));
  return texts;
}

std::string refusal(std::string_view text) {
  return error_text<InvalidArgument>([&] { parse_publish(text); });
}

TEST(ParsePublish, KnowsAllForms) {
  const std::pair<const char*, const char*> cases[] = {
      {"80", "0.0.0.0:->80/tcp"},
      {":80", "0.0.0.0:->80/tcp"},
      {"8080:80", "0.0.0.0:8080->80/tcp"},
      {"8080:80/udp", "0.0.0.0:8080->80/udp"},
      {"8080:80/TCP", "0.0.0.0:8080->80/tcp"},
      {"127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
      {"127.0.0.1::80", "127.0.0.1:->80/tcp"},
      {"[::1]:8080:80", "[::1]:8080->80/tcp"},
      {"[::1]::80/udp", "[::1]:->80/udp"},
      {"8000-8002:80-82", "0.0.0.0:8000-8002->80-82/tcp"},
      {"80-82", "0.0.0.0:->80-82/tcp"},
      {"1-65535:1-65535", "0.0.0.0:1-65535->1-65535/tcp"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(render_port(parse_publish(text)), expected) << text;
}

TEST(ParsePublish, EveryAddressIsNotTheSameAsEveryV4Address) {
  EXPECT_FALSE(parse_publish("8080:80").host_address);
  EXPECT_TRUE(parse_publish("0.0.0.0:8080:80").host_address);
}

TEST(ParsePublish, SaysWhatIsWrong) {
  EXPECT_THAT(refusal("0:80"), HasSubstr("between 1 and 65535 (inclusive), got 0"));
  EXPECT_THAT(refusal("70000:80"), HasSubstr("got 70000"));
  EXPECT_THAT(refusal("a:80"), HasSubstr("invalid port number \"a\""));
  EXPECT_THAT(refusal("3-1:3-1"), HasSubstr("before it starts"));
  EXPECT_THAT(refusal("8000-8002:80"), HasSubstr("different lengths: 3 vs 1"));
  EXPECT_THAT(refusal("80/foo"), HasSubstr("unknown protocol \"foo\""));
  EXPECT_THAT(refusal("80/tcp/udp"), HasSubstr("unknown protocol"));
  EXPECT_THAT(refusal("127.0.0.1:80"), HasSubstr("invalid port number"));
  EXPECT_THAT(refusal("[::1]:80"), HasSubstr("both ports are needed"));
  EXPECT_THAT(refusal("::1:80:80"), HasSubstr("expected"));
  EXPECT_THAT(refusal("1:2:3:4"), HasSubstr("is no IP address"));
  EXPECT_THAT(refusal("[::1:80"), HasSubstr("[IPv6]"));
  EXPECT_THAT(refusal("80:"), HasSubstr("expected"));
  EXPECT_THAT(refusal(""), HasSubstr("expected"));
  EXPECT_THAT(error_text<Unsupported>([] { parse_publish("80/sctp"); }), HasSubstr("SCTP"));
}

TEST(ParseExposed, TakesPortsAndRanges) {
  EXPECT_EQ(render_exposed(parse_exposed("80")), "80/tcp");
  EXPECT_EQ(render_exposed(parse_exposed("80-90/udp")), "80-90/udp");
  EXPECT_THROW(parse_exposed("90-80"), InvalidArgument);
  EXPECT_THROW(parse_exposed("x"), InvalidArgument);
  EXPECT_THROW(parse_exposed("8080:80"), InvalidArgument);
}

TEST(PlanPorts, PublishesExposedPortsThatAreNotPublishedYet) {
  EXPECT_THAT(
      rendered(plan_ports({"8080:80"}, {parse_exposed("79-81"), parse_exposed("80/udp")})),
      ElementsAre("0.0.0.0:8080->80/tcp", "0.0.0.0:->79/tcp", "0.0.0.0:->81/tcp", "0.0.0.0:->80/udp"));
  EXPECT_THAT(rendered(plan_ports({}, {parse_exposed("65535")})), ElementsAre("0.0.0.0:->65535/tcp"));
}

TEST(PlanPorts, OnePortOfTheHostIsGivenOnce) {
  EXPECT_THAT(rendered(plan_ports({"8080:80", "8080:80", "8080:80/udp", "8081:80"}, {})),
              ElementsAre("0.0.0.0:8080->80/tcp", "0.0.0.0:8080->80/udp", "0.0.0.0:8081->80/tcp"));
  EXPECT_THAT(rendered(plan_ports({"127.0.0.1:80:80", "127.0.0.2:80:80", "[::]:80:80"}, {})),
              ElementsAre("127.0.0.1:80->80/tcp", "127.0.0.2:80->80/tcp", "[::]:80->80/tcp"));
  // Each gets a free one of its own.
  EXPECT_THAT(rendered(plan_ports({"80", "80"}, {})), ElementsAre("0.0.0.0:->80/tcp", "0.0.0.0:->80/tcp"));
  for (const auto& [one, other] :
       {std::pair("8080:80", "8080:81"), std::pair("8080:80", "127.0.0.1:8080:80"),
        std::pair("0.0.0.0:8080:80", "127.0.0.1:8080:80"), std::pair("8000-8010:1-11", "8005:80")}) {
    EXPECT_THAT(error_text<InvalidArgument>([&] {
                  plan_ports({one, other}, {});
                }),
                HasSubstr("conflicting port mappings"))
        << one << " " << other;
  }
}

}  // namespace
}  // namespace knarr::engine
