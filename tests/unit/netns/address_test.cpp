// SPDX-License-Identifier: Apache-2.0
#include "netns/address.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace knarr::netns {
namespace {

IpAddress ip(const char* text) {
  return parse_ip(text).value();
}
Subnet subnet(const char* text) {
  return parse_subnet(text).value();
}

TEST(ParseIp, TakesBothFamiliesAndNothingElse) {
  EXPECT_EQ(render_ip(ip("10.88.0.2")), "10.88.0.2");
  EXPECT_EQ(render_ip(ip("FD00:0:0::2")), "fd00::2");
  for (const char* text :
       {"", "10.88.0", "10.88.0.256", "010.1.1.1", "fd00::2%eth0", "10.0.0.1/8", " 10.0.0.1"})
    EXPECT_FALSE(parse_ip(text)) << text;
  EXPECT_FALSE(parse_ip(std::string_view("10.0.0.1\0x", 10)));
}

TEST(ParseIp, KnowsSpecialAddresses) {
  EXPECT_TRUE(is_loopback(ip("127.3.2.1")));
  EXPECT_TRUE(is_loopback(ip("::1")));
  EXPECT_FALSE(is_loopback(ip("128.0.0.1")));
  EXPECT_FALSE(is_loopback(ip("::2")));
  EXPECT_TRUE(is_unspecified(ip("::")));
  EXPECT_FALSE(is_unspecified(ip("0.0.0.1")));
}

TEST(Unmap, GivesTheV4AddressInAMappedOne) {
  EXPECT_EQ(unmap(ip("::ffff:10.1.2.3")), ip("10.1.2.3"));
  EXPECT_EQ(unmap(ip("::fffe:10.1.2.3")), ip("::fffe:10.1.2.3"));
  EXPECT_EQ(unmap(ip("10.1.2.3")), ip("10.1.2.3"));
}

TEST(ParseSubnet, NeedsAPrefixOfItsFamily) {
  EXPECT_EQ(render_subnet(subnet("10.88.0.1/16")), "10.88.0.1/16");
  EXPECT_EQ(render_subnet(subnet("fd00::/64")), "fd00::/64");
  EXPECT_TRUE(parse_subnet("0.0.0.0/0"));
  for (const char* text : {"10.88.0.0", "10.88.0.0/", "10.88.0.0/33", "10.88.0.0/8x", "10.88.0.0/08",
                           "fd00::/129", "/8", "10.0.0.0/-1", "10.0.0.0/256"})
    EXPECT_FALSE(parse_subnet(text)) << text;
}

TEST(Subnets, HaveAFirstAndALastAddress) {
  EXPECT_EQ(render_subnet(network_of(subnet("10.88.77.1/20"))), "10.88.64.0/20");
  EXPECT_EQ(render_ip(last_of(subnet("10.88.77.1/20"))), "10.88.79.255");
  EXPECT_EQ(render_ip(last_of(subnet("fd00:1::/62"))), "fd00:1:0:3:ffff:ffff:ffff:ffff");
  EXPECT_EQ(render_ip(last_of(subnet("1.2.3.4/0"))), "255.255.255.255");
}

TEST(Subnets, ContainAndOverlap) {
  EXPECT_TRUE(contains(subnet("10.88.0.0/16"), ip("10.88.255.255")));
  EXPECT_FALSE(contains(subnet("10.88.0.0/16"), ip("10.89.0.0")));
  EXPECT_FALSE(contains(subnet("0.0.0.0/0"), ip("::1")));
  EXPECT_TRUE(overlap(subnet("10.88.5.0/24"), subnet("10.88.0.0/16")));
  EXPECT_TRUE(overlap(subnet("10.88.0.0/16"), subnet("10.88.5.0/24")));
  EXPECT_FALSE(overlap(subnet("10.88.4.0/24"), subnet("10.88.5.0/24")));
  EXPECT_FALSE(overlap(subnet("0.0.0.0/0"), subnet("::/0")));
}

TEST(Advance, CarriesAndEnds) {
  EXPECT_EQ(render_ip(advance(ip("10.88.0.255"), 1).value()), "10.88.1.0");
  EXPECT_EQ(render_ip(advance(ip("10.88.0.1"), 65535).value()), "10.89.0.0");
  EXPECT_FALSE(advance(ip("255.255.255.255"), 1));
  EXPECT_EQ(render_ip(advance(ip("fd00::ffff:ffff:ffff:ffff"), 1).value()), "fd00:0:0:1::");
  EXPECT_EQ(render_ip(advance(ip("::1"), UINT64_MAX).value()), "0:0:0:1::");
  EXPECT_FALSE(advance(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1));
}

TEST(ParseMac, TakesColonsOrDashesAndNothingElse) {
  EXPECT_EQ(render_mac(parse_mac("02:42:AC:11:00:0a").value()), "02:42:ac:11:00:0a");
  EXPECT_EQ(render_mac(parse_mac("02-42-ac-11-00-0a").value()), "02:42:ac:11:00:0a");
  for (const char* text : {"", "02:42:ac:11:00", "02:42-ac:11:00:0a", "02:42:ac:11:00:0g", "0242.ac11.000a",
                           "02:42:ac:11:00:0a:"})
    EXPECT_FALSE(parse_mac(text)) << text;
  EXPECT_FALSE(is_unicast(parse_mac("01:00:5e:00:00:01").value()));
  EXPECT_FALSE(is_unicast(MacAddress{}));
}

}  // namespace
}  // namespace knarr::netns
