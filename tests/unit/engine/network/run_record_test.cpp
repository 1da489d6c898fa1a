// SPDX-License-Identifier: Apache-2.0
#include "engine/network/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/network/live_network.h"
#include "engine/network/network_store.h"
#include "tests/support/temporary_directory.h"

namespace knarr::engine {
namespace {

NetworkRunRecord full_record() {
  AttachedNetwork web;
  web.network = "web";
  web.network_id = "abc";
  web.bridge = "podman1";
  web.interface = "eth0";
  web.host_interface = "veth12345678";
  web.mac = *netns::parse_mac("02:01:02:03:04:05");
  web.addresses = {*netns::parse_subnet("10.89.0.2/24"), *netns::parse_subnet("fd00::2/64")};
  web.gateways = {*netns::parse_ip("10.89.0.1"), *netns::parse_ip("fd00::1")};
  web.routes = {{*netns::parse_subnet("0.0.0.0/0"), *netns::parse_ip("10.89.0.1"), 100},
                {*netns::parse_subnet("::/0"), *netns::parse_ip("fd00::1"), 101}};
  web.dns = true;
  web.names = {"db", "alias"};
  AttachedNetwork bare;
  bare.network = "bare";
  bare.interface = "eth1";
  return {.networks = {web, bare},
          .ports = {{.host_address = netns::parse_ip("::1"),
                     .host_port = 8080,
                     .container_port = 80,
                     .count = 3,
                     .protocol = PortProtocol::udp},
                    {.host_port = 443, .container_port = 443}},
          .dns_servers = {*netns::parse_ip("9.9.9.9")}};
}

TEST(NetworkRecord, IsReadBackAsWritten) {
  EXPECT_EQ(parse_network_record(render_network_record(full_record())), full_record());
  EXPECT_EQ(parse_network_record(""), NetworkRunRecord{});
}

TEST(NetworkRecord, IgnoresLinesOfLaterVersions) {
  const auto record = parse_network_record("network web\nlater 1 2\n");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->networks.at(0).network, "web");
}

TEST(NetworkRecord, RefusesWhatIsTorn) {
  for (const char* text :
       {"address 10.0.0.1/24\n", "network w\naddress 10.0\n", "network w\nmac 1\n", "port tcp * 1 2\n",
        "port sctp * 1 2 1\n", "port tcp x 1 2 1\n", "network\n", "network w\nroute 1 2 3\n"})
    EXPECT_FALSE(parse_network_record(text)) << text;
}

TEST(NetworkRecord, LivesInTheRunDirectory) {
  const test::TemporaryDirectory run;
  EXPECT_FALSE(read_network_record(run.path()));
  write_network_record(run.path(), full_record());
  EXPECT_EQ(read_network_record(run.path()), full_record());
}

TEST(LiveNetworkRecord, IsReadBackAsWritten) {
  Network network = default_network();
  network.internal = true;
  network.dns_servers = {*netns::parse_ip("1.1.1.1")};
  const LiveNetwork live = describe_live(network, netns::parse_ip("169.254.1.2"));
  EXPECT_EQ(parse_live_network(render_live_network(live)), live);
  EXPECT_FALSE(parse_live_network("dns yes\n"));
  EXPECT_FALSE(parse_live_network("bridge b\ngateway x\n"));
  const test::TemporaryDirectory run;
  EXPECT_FALSE(read_live_network(run.path(), "podman"));
  write_live_network(run.path(), network, netns::parse_ip("169.254.1.2"));
  EXPECT_EQ(read_live_network(run.path(), "podman"), live);
}

}  // namespace
}  // namespace knarr::engine
