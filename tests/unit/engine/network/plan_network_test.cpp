// SPDX-License-Identifier: Apache-2.0
#include "engine/network/plan_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/network/network_store.h"
#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

NetworkSurroundings there() {
  return {.networks = {default_network()},
          .host_routes = {},
          .host_interfaces = {},
          .rootful = false,
          .id = std::string(64, 'a'),
          .created = "2026-11-23T12:00:00Z",
          .random = {1, 2, 3, 4, 5, 6, 7}};
}

std::vector<std::string> subnets_of(const Network& network) {
  std::vector<std::string> texts;
  for (const NetworkSubnet& one : network.subnets) {
    texts.push_back(netns::render_subnet(one.subnet) +
                    (one.gateway ? " " + netns::render_ip(*one.gateway) : ""));
  }
  return texts;
}

std::string failure(const NetworkRequest& request, const NetworkSurroundings& surroundings = there()) {
  try {
    plan_network(request, surroundings);
  } catch (const Error& error) {
    return error.message();
  }
  return {};
}

Network network_with(const std::string& name, const std::string& subnet, const std::string& interface) {
  Network network;
  network.name = name;
  network.interface = interface;
  network.subnets = {{.subnet = *netns::parse_subnet(subnet), .gateway = {}, .range = {}}};
  return network;
}

TEST(PlanNetwork, ANetworkOfNothingHasBothFamiliesAndNames) {
  const Network network = plan_network({}, there());
  EXPECT_EQ(network.name, "podman1");
  EXPECT_EQ(network.interface, "podman1");
  EXPECT_THAT(subnets_of(network),
              ElementsAre("10.89.0.0/24 10.89.0.1", "fd01:203:405:607::/64 fd01:203:405:607::1"));
  EXPECT_TRUE(network.dns && network.ipv6 && !network.internal);
  EXPECT_EQ(network.id, std::string(64, 'a'));
}

TEST(PlanNetwork, Ipv6CanBeDeclined) {
  const Network network = plan_network({.ipv6 = false}, there());
  EXPECT_THAT(subnets_of(network), ElementsAre("10.89.0.0/24 10.89.0.1"));
  EXPECT_FALSE(network.ipv6);
}

TEST(PlanNetwork, AChosenSubnetStaysAloneUnlessIpv6IsAskedFor) {
  EXPECT_THAT(subnets_of(plan_network({.subnets = {"10.5.0.9/24"}}, there())),
              ElementsAre("10.5.0.0/24 10.5.0.1"));
  EXPECT_THAT(subnets_of(plan_network({.subnets = {"fd00:1::/64"}}, there())),
              ElementsAre("fd00:1::/64 fd00:1::1"));
  EXPECT_THAT(subnets_of(plan_network({.subnets = {"fd00:1::/64"}, .ipv6 = true}, there())),
              ElementsAre("fd00:1::/64 fd00:1::1", "10.89.0.0/24 10.89.0.1"));
}

TEST(PlanNetwork, FreeSubnetsAvoidNetworksAndTheHostsRoutes) {
  NetworkSurroundings busy = there();
  busy.networks.push_back(network_with("one", "10.89.0.0/24", "podman1"));
  busy.host_routes = {*netns::parse_subnet("10.89.1.128/25"), *netns::parse_subnet("fd01:203:405:607::/64")};
  EXPECT_THAT(subnets_of(plan_network({}, busy)),
              ElementsAre("10.89.2.0/24 10.89.2.1", "fd01:203:405:608::/64 fd01:203:405:608::1"));
}

TEST(PlanNetwork, ExhaustedPoolsAreAnError) {
  NetworkSurroundings busy = there();
  busy.host_routes = {*netns::parse_subnet("10.0.0.0/8")};
  EXPECT_THAT(failure({}, busy), HasSubstr("could not find a free subnet"));
}

TEST(PlanNetwork, NamesWhoUsesAWantedSubnet) {
  NetworkSurroundings busy = there();
  busy.host_routes = {*netns::parse_subnet("192.168.0.0/16")};
  EXPECT_EQ(failure({.subnets = {"10.88.4.0/24"}}, busy),
            "subnet 10.88.4.0/24 is already used by network podman");
  EXPECT_EQ(failure({.subnets = {"192.168.7.0/24"}}, busy),
            "subnet 192.168.7.0/24 is already used by the host's route 192.168.0.0/16");
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/16", "10.5.1.0/24"}}), HasSubstr("overlaps subnet 10.5.0.0/16"));
}

TEST(PlanNetwork, GatewaysAndRangesGoToTheSubnetTheyLieIn) {
  const Network network = plan_network({.subnets = {"10.5.0.0/24", "fd00:1::/64", "10.6.0.0/24"},
                                        .gateways = {"fd00:1::9", "10.5.0.254"},
                                        .ip_ranges = {"10.5.0.128/25", "10.6.0.10-10.6.0.20"}},
                                       there());
  EXPECT_THAT(subnets_of(network),
              ElementsAre("10.5.0.0/24 10.5.0.254", "fd00:1::/64 fd00:1::9", "10.6.0.0/24 10.6.0.1"));
  EXPECT_EQ(netns::render_ip(*network.subnets[0].range.start), "10.5.0.129");
  EXPECT_EQ(netns::render_ip(*network.subnets[0].range.end), "10.5.0.255");
  EXPECT_EQ(netns::render_ip(*network.subnets[2].range.end), "10.6.0.20");
}

TEST(PlanNetwork, RefusesGatewaysAndRangesThatCannotBe) {
  EXPECT_EQ(failure({.gateways = {"10.5.0.1"}}), "cannot set gateway or range without subnet");
  EXPECT_EQ(failure({.subnets = {"10.5.0.0/24"}, .gateways = {"10.6.0.1"}}),
            "gateway 10.6.0.1 not in subnet 10.5.0.0/24");
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .gateways = {"10.5.0.255"}}),
              HasSubstr("belong to nobody"));
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .ip_ranges = {"10.5.0.128/23"}}),
              HasSubstr("not in subnet"));
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .ip_ranges = {"10.5.0.9-10.5.0.3"}}),
              HasSubstr("in order"));
}

TEST(PlanNetwork, RefusesSubnetsWithoutRoom) {
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/31"}}), HasSubstr("too small"));
  EXPECT_THAT(failure({.subnets = {"0.0.0.0/0"}}), HasSubstr("not a network's address"));
  EXPECT_THAT(failure({.subnets = {"10.5.0.0"}}), HasSubstr("expected a subnet"));
}

TEST(PlanNetwork, AnInternalNetworkHasAGatewayForItsNamesOnly) {
  EXPECT_THAT(subnets_of(plan_network({.subnets = {"10.5.0.0/24"}, .internal = true}, there())),
              ElementsAre("10.5.0.0/24 10.5.0.1"));
  EXPECT_THAT(
      subnets_of(plan_network({.subnets = {"10.5.0.0/24"}, .internal = true, .disable_dns = true}, there())),
      ElementsAre("10.5.0.0/24"));
}

TEST(PlanNetwork, RoutesNeedAGatewayOnTheNetwork) {
  const Network network =
      plan_network({.subnets = {"10.5.0.0/24"}, .routes = {"10.7.0.0/16,10.5.0.9,50"}}, there());
  ASSERT_EQ(network.routes.size(), 1u);
  EXPECT_EQ(network.routes[0].metric, 50u);
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .routes = {"10.7.0.0/16,10.6.0.9"}}),
              HasSubstr("not in subnet"));
  EXPECT_THAT(failure({.routes = {"10.7.0.0/16"}}), HasSubstr("DESTINATION,GATEWAY"));
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .routes = {"10.7.0.1/16,10.5.0.9"}}),
              HasSubstr("host bits"));
}

TEST(PlanNetwork, InterfacesAndNamesMustBeFree) {
  NetworkSurroundings busy = there();
  busy.networks.push_back(network_with("podman2", "10.89.0.0/24", "web0"));
  busy.host_interfaces = {"podman1"};
  EXPECT_EQ(plan_network({}, busy).name, "podman3");
  EXPECT_EQ(failure({.name = "podman2"}, busy), "network name podman2 already used: network already exists");
  EXPECT_EQ(failure({.interface = "web0"}, busy), "bridge name web0 already in use");
  EXPECT_THAT(failure({.interface = "sixteen-letters0"}, busy), HasSubstr("at most 15 bytes"));
  EXPECT_THAT(failure({.name = "a/b"}), HasSubstr("names must match"));
  EXPECT_THAT(failure({.name = "host"}), HasSubstr("network mode"));
  EXPECT_THAT(failure({.interface = "none"}), HasSubstr("network mode"));
}

TEST(PlanNetwork, OptionsAreCheckedAndUnknownOnesRefused) {
  EXPECT_THAT(
      plan_network({.options = {"mtu=1400", "isolate=1", "metric=5", "no_default_route=false"}}, there())
          .options,
      ElementsAre(Pair("isolate", "true"), Pair("metric", "5"), Pair("mtu", "1400"),
                  Pair("no_default_route", "false")));
  EXPECT_THAT(
      plan_network({.options = {"com.docker.network.driver.mtu=1400", "isolate=strict"}}, there()).options,
      ElementsAre(Pair("isolate", "strict"), Pair("mtu", "1400")));
  EXPECT_THAT(failure({.options = {"foo=1"}}), HasSubstr("unsupported bridge network option foo"));
  EXPECT_THAT(failure({.options = {"mtu=abc"}}), HasSubstr("network option mtu"));
  EXPECT_THAT(failure({.options = {"isolate=maybe"}}), HasSubstr("true, false or strict"));
  EXPECT_THAT(failure({.options = {"vlan=4"}}), HasSubstr("not supported yet"));
  EXPECT_THAT(failure({.options = {"mtu"}}), HasSubstr("NAME=VALUE"));
}

TEST(PlanNetwork, AnMtuTooSmallForIpv6IsRefusedThereOnly) {
  EXPECT_THAT(failure({.options = {"mtu=1000"}}), HasSubstr("from 1280"));
  EXPECT_EQ(failure({.options = {"mtu=1000"}, .ipv6 = false}), "");
}

TEST(PlanNetwork, DriversAreCheckedByName) {
  EXPECT_EQ(failure({.driver = "foo"}), "unsupported driver foo: invalid argument");
  EXPECT_THAT(failure({.driver = "macvlan"}), HasSubstr("ordinary user"));
  EXPECT_THAT(failure({.ipam_driver = "dhcp"}), HasSubstr("dhcp"));
}

TEST(PlanNetwork, WithoutAddressManagementThereAreNoAddressesAndNoNames) {
  const Network network = plan_network({.ipam_driver = "none"}, there());
  EXPECT_TRUE(network.subnets.empty());
  EXPECT_FALSE(network.dns);
  EXPECT_THAT(failure({.subnets = {"10.5.0.0/24"}, .ipam_driver = "none"}), HasSubstr("subnets are given"));
}

TEST(PlanNetwork, DnsServersNeedDns) {
  EXPECT_EQ(plan_network({.dns_servers = {"1.1.1.1"}}, there()).dns_servers.size(), 1u);
  EXPECT_THAT(failure({.dns_servers = {"1.1.1.1"}, .disable_dns = true}), HasSubstr("without DNS"));
  EXPECT_THAT(failure({.dns_servers = {"one"}}), HasSubstr("not an IP address"));
}

TEST(UpdateDnsServers, AddsOnceAndDropsWhatIsThere) {
  Network network = plan_network({.dns_servers = {"1.1.1.1"}}, there());
  update_dns_servers(network, {"1.1.1.1", "8.8.8.8"}, {});
  EXPECT_EQ(network.dns_servers.size(), 2u);
  update_dns_servers(network, {}, {"1.1.1.1"});
  EXPECT_EQ(netns::render_ip(network.dns_servers.at(0)), "8.8.8.8");
  EXPECT_THROW(update_dns_servers(network, {}, {"9.9.9.9"}), NotFound);
}

}  // namespace
}  // namespace knarr::engine
