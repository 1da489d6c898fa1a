// SPDX-License-Identifier: Apache-2.0
#include "engine/network/host_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> texts(const std::vector<netns::Subnet>& subnets) {
  std::vector<std::string> all;
  for (const netns::Subnet& subnet : subnets) all.push_back(netns::render_subnet(subnet));
  return all;
}

TEST(HostRoutes, V4TablesGiveTheirSubnets) {
  EXPECT_THAT(texts(parse_v4_routes(
                  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n"
                  "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0   \n"
                  "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0   \n"
                  "eth0\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0   \n"
                  "eth1\t0500000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0   \n")),
              ElementsAre("192.0.2.0/24"));
}

TEST(HostRoutes, V6TablesGiveTheirSubnets) {
  const std::string rest =
      " 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 "
      "00000001     eth0\n";
  EXPECT_THAT(
      texts(parse_v6_routes(
          "fd000000000000010000000000000000 40" + rest + "fe800000000000000000000000000000 40" + rest +
          "00000000000000000000000000000001 80" + rest + "ff000000000000000000000000000000 08" + rest +
          "00000000000000000000000000000000 00" + rest)),
      ElementsAre("fd00:0:0:1::/64"));
}

TEST(HostRoutes, WhatIsNoTableGivesNothing) {
  EXPECT_TRUE(parse_v4_routes("").empty());
  EXPECT_TRUE(parse_v4_routes("a b c d e f g h i\nx\n").empty());
  EXPECT_TRUE(parse_v6_routes("zz\n").empty());
}

}  // namespace
}  // namespace knarr::engine
