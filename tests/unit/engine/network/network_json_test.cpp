// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// As podman writes it.
constexpr const char* podmans = R"({
     "name": "t1",
     "id": "628b49d96dcde97a430dd4f597705899e09a968f793491e4b704cae33a40dc02",
     "driver": "bridge",
     "network_interface": "podman1",
     "created": "2026-11-27T23:08:34.667131236Z",
     "subnets": [
          {"subnet": "10.99.0.0/24", "gateway": "10.99.0.1",
           "lease_range": {"start_ip": "10.99.0.129", "end_ip": "10.99.0.255"}},
          {"subnet": "fd0a:fbe2:9b31:cb2c::/64", "gateway": "fd0a:fbe2:9b31:cb2c::1"}
     ],
     "routes": [{"destination": "10.1.0.0/16", "gateway": "10.99.0.5", "metric": 7}],
     "ipv6_enabled": true,
     "internal": false,
     "dns_enabled": true,
     "network_dns_servers": ["1.1.1.1"],
     "labels": {"a": "b"},
     "options": {"mtu": "1400"},
     "ipam_options": {"driver": "host-local"},
     "something_new": {"x": 1}
})";

std::string failure(std::string_view json) {
  try {
    parse_network(json);
  } catch (const InvalidArgument& error) {
    return error.message();
  }
  return {};
}

TEST(NetworkJson, ReadsPodmansFile) {
  const Network network = parse_network(podmans);
  EXPECT_EQ(network.name, "t1");
  EXPECT_EQ(network.interface, "podman1");
  ASSERT_THAT(network.subnets, SizeIs(2));
  EXPECT_EQ(netns::render_subnet(network.subnets[0].subnet), "10.99.0.0/24");
  EXPECT_EQ(netns::render_ip(*network.subnets[0].range.start), "10.99.0.129");
  EXPECT_EQ(netns::render_ip(*network.subnets[1].gateway), "fd0a:fbe2:9b31:cb2c::1");
  ASSERT_THAT(network.routes, SizeIs(1));
  EXPECT_EQ(network.routes[0].metric, 7u);
  EXPECT_TRUE(network.ipv6 && network.dns && !network.internal);
  ASSERT_THAT(network.dns_servers, SizeIs(1));
  EXPECT_EQ(network.labels.at("a"), "b");
  EXPECT_EQ(network.options.at("mtu"), "1400");
}

TEST(NetworkJson, IsReadBackAsWritten) {
  const Network network = parse_network(podmans);
  EXPECT_EQ(parse_network(render_network(network)), network);
}

TEST(NetworkJson, NullMembersAreMissingOnes) {
  const Network network = parse_network(R"({"name": "n", "id": "ab", "subnets": null, "labels": null})");
  EXPECT_TRUE(network.subnets.empty());
  EXPECT_EQ(network.driver, "bridge");
  EXPECT_EQ(network.ipam_driver, "host-local");
}

TEST(NetworkJson, NamesThePlaceOfAMistake) {
  EXPECT_THAT(failure(R"({"name": "n", "id": "ab", "subnets": [{"subnet": "10.1.0.0"}]})"),
              HasSubstr("network.subnets[0].subnet"));
  EXPECT_THAT(
      failure(R"({"name": "n", "id": "ab", "routes": [{"destination": "10.0.0.0/8", "gateway": "x"}]})"),
      HasSubstr("network.routes[0].gateway"));
  EXPECT_THAT(failure(R"({"name": "n", "id": "ab", "dns_enabled": "yes"})"),
              HasSubstr("network.dns_enabled"));
}

TEST(NetworkJson, RefusesAddressesOutsideTheirSubnet) {
  EXPECT_THAT(
      failure(R"({"name": "n", "id": "ab", "subnets": [{"subnet": "10.1.0.0/24", "gateway": "10.2.0.1"}]})"),
      HasSubstr("10.2.0.1 is not in 10.1.0.0/24"));
  EXPECT_THAT(failure(R"({"name": "n", "id": "ab", "subnets": [{"subnet": "10.1.0.0/24",
                          "lease_range": {"start_ip": "10.1.0.9", "end_ip": "10.1.0.4"}}]})"),
              HasSubstr("ends before it starts"));
}

TEST(NetworkJson, RefusesNamesThatAreUnsafeAsPathsOrArguments) {
  EXPECT_THAT(failure(R"({"name": "../n", "id": "ab"})"), HasSubstr("network.name"));
  EXPECT_THAT(failure(R"({"name": "n", "id": "a/b"})"), HasSubstr("network.id"));
  EXPECT_THAT(failure(R"({"name": "n", "id": "ab", "network_interface": "a-name-too-long0"})"),
              HasSubstr("network.network_interface"));
}

}  // namespace
}  // namespace knarr::engine
