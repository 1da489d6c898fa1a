// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "netns/forward/target.h"

namespace knarr::netns::forward {
namespace {

const Endpoint v4{*parse_ip("10.88.0.2"), *parse_ip("10.88.0.1")};
const Endpoint v6{*parse_ip("fd00::2"), *parse_ip("fd00::1")};

std::string source(const char* client, const Endpoint& endpoint, bool keep_client = true) {
  const Peer peer = source_for({*parse_ip(client), 4000}, endpoint, keep_client);
  return render_ip(peer.address) + " " + std::to_string(peer.port);
}

TEST(ForwardTarget, ClientsGoToTheirOwnFamily) {
  const Target target{.v4 = v4, .v6 = v6};
  EXPECT_EQ(*target.endpoint_for(Family::v4), v4);
  EXPECT_EQ(*target.endpoint_for(Family::v6), v6);
}

TEST(ForwardTarget, ClientsGoToTheOtherFamilyWhenThereIsNoOther) {
  EXPECT_EQ(*Target{.v4 = v4}.endpoint_for(Family::v6), v4);
  EXPECT_EQ(*Target{.v6 = v6}.endpoint_for(Family::v4), v6);
  EXPECT_EQ(Target{}.endpoint_for(Family::v4), nullptr);
}

TEST(ForwardTarget, AClientKeepsAddressAndPort) {
  EXPECT_EQ(source("192.0.2.2", v4), "192.0.2.2 4000");
  EXPECT_EQ(source("2001:db8::2", v6), "2001:db8::2 4000");
}

TEST(ForwardTarget, TheGatewaySpeaksForWhoCannotBeAnswered) {
  EXPECT_EQ(source("127.0.0.1", v4), "10.88.0.1 0");
  EXPECT_EQ(source("::1", v6), "fd00::1 0");
  EXPECT_EQ(source("10.88.0.2", v4), "10.88.0.1 0");    // the container itself
  EXPECT_EQ(source("169.254.3.4", v4), "10.88.0.1 0");  // of one link only
  EXPECT_EQ(source("fe80::5", v6), "fd00::1 0");
  EXPECT_EQ(source("192.0.2.2", v6), "fd00::1 0");  // the other family
  EXPECT_EQ(source("192.0.2.2", v4, false), "10.88.0.1 0");
}

}  // namespace
}  // namespace knarr::netns::forward
