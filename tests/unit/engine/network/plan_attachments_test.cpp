// SPDX-License-Identifier: Apache-2.0
#include "engine/network/plan_attachments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/network/network_store.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ContainerConfig container() {
  ContainerConfig config;
  config.id = "0123456789ab" + std::string(52, 'c');
  config.name = "box";
  return config;
}

Attachable on(const std::string& name, int number) {
  Attachable attachable;
  attachable.wish.network = name;
  Network& network = attachable.network;
  network = default_network();
  network.name = name;
  network.id = name + "-id";
  network.interface = "podman" + std::to_string(number);
  const std::string net = "10.89." + std::to_string(number);
  network.subnets = {
      {.subnet = *netns::parse_subnet(net + ".0/24"), .gateway = netns::parse_ip(net + ".1"), .range = {}}};
  attachable.addresses = {*netns::parse_subnet(net + ".2/24")};
  return attachable;
}

std::vector<std::string> routes_of(const AttachedNetwork& attached) {
  std::vector<std::string> texts;
  for (const NetworkRoute& route : attached.routes) {
    texts.push_back(netns::render_subnet(route.destination) + " via " + netns::render_ip(route.gateway) +
                    " metric " + std::to_string(route.metric.value_or(0)));
  }
  return texts;
}

TEST(PlanAttachments, InterfacesAreNumberedInOrder) {
  ContainerConfig config = container();
  std::vector<Attachable> all = {on("a", 1), on("b", 2), on("c", 3)};
  all[1].wish.interface = "eth0";
  config.networks = {all[0].wish, all[1].wish, all[2].wish};
  const auto attached = plan_attachments(config, all);
  EXPECT_EQ(attached[0].interface, "eth1");
  EXPECT_EQ(attached[1].interface, "eth0");
  EXPECT_EQ(attached[2].interface, "eth2");
}

TEST(PlanAttachments, AreTheSameEachTime) {
  const auto once = plan_attachments(container(), {on("a", 1), on("b", 2)});
  EXPECT_EQ(once, plan_attachments(container(), {on("a", 1), on("b", 2)}));
  EXPECT_NE(once[0].mac, once[1].mac);
  EXPECT_EQ(once[0].mac[0], 0x02);
  EXPECT_EQ(once[0].host_interface, "");
  ContainerConfig other = container();
  other.id = std::string(64, 'd');
  EXPECT_NE(plan_attachments(other, {on("a", 1)})[0].mac, once[0].mac);
}

TEST(PlanAttachments, WishesAreFulfilled) {
  Attachable one = on("a", 1);
  one.wish.mac = netns::parse_mac("02:00:00:00:00:09");
  one.wish.interface = "net0";
  one.wish.host_interface = "mine0";
  one.wish.aliases = {"db", "box"};
  ContainerConfig config = container();
  config.hostname = "host";
  const AttachedNetwork attached = plan_attachment(config, one, {});
  EXPECT_EQ(netns::render_mac(attached.mac), "02:00:00:00:00:09");
  EXPECT_EQ(attached.interface, "net0");
  EXPECT_EQ(attached.host_interface, "mine0");
  EXPECT_THAT(attached.names, ElementsAre("box", "0123456789ab", "host", "db"));
}

TEST(PlanAttachments, TheFirstNetworkIsTheWayOutAndTheNextOnesStandBy) {
  const auto attached = plan_attachments(container(), {on("a", 1), on("b", 2)});
  EXPECT_THAT(routes_of(attached[0]), ElementsAre("0.0.0.0/0 via 10.89.1.1 metric 100"));
  EXPECT_THAT(routes_of(attached[1]), ElementsAre("0.0.0.0/0 via 10.89.2.1 metric 101"));
}

TEST(PlanAttachments, AMetricDecidesTheWayOut) {
  Attachable preferred = on("b", 2);
  preferred.network.options["metric"] = "50";
  const auto attached = plan_attachments(container(), {on("a", 1), preferred});
  EXPECT_THAT(routes_of(attached[1]), ElementsAre("0.0.0.0/0 via 10.89.2.1 metric 50"));
}

TEST(PlanAttachments, InternalNetworksAndTheOptionHaveNoDefaultRoute) {
  Attachable internal = on("a", 1), optioned = on("b", 2);
  internal.network.internal = true;
  optioned.network.options["no_default_route"] = "true";
  optioned.network.routes = {
      {*netns::parse_subnet("10.1.0.0/16"), *netns::parse_ip("10.89.2.9"), std::nullopt}};
  const auto attached = plan_attachments(container(), {internal, optioned});
  EXPECT_THAT(attached[0].routes, IsEmpty());
  EXPECT_THAT(attached[0].gateways, ElementsAre(*netns::parse_ip("10.89.1.1")));
  EXPECT_THAT(routes_of(attached[1]), ElementsAre("10.1.0.0/16 via 10.89.2.9 metric 100"));
}

TEST(PlanAttachments, EachFamilyHasItsDefaultRoute) {
  Attachable both = on("a", 1);
  both.network.subnets.push_back(
      {.subnet = *netns::parse_subnet("fd00::/64"), .gateway = netns::parse_ip("fd00::1"), .range = {}});
  both.network.subnets.push_back(
      {.subnet = *netns::parse_subnet("10.90.0.0/24"), .gateway = netns::parse_ip("10.90.0.1"), .range = {}});
  EXPECT_THAT(routes_of(plan_attachment(container(), both, {})),
              ElementsAre("0.0.0.0/0 via 10.89.1.1 metric 100", "::/0 via fd00::1 metric 100"));
}

TEST(PlanAttachments, WithoutDnsThereAreNoNames) {
  Attachable silent = on("a", 1);
  silent.network.dns = false;
  EXPECT_THAT(plan_attachment(container(), silent, {}).names, IsEmpty());
}

TEST(PlanAttachments, NetworksThatCannotBeMadeAreNamed) {
  const auto refusal = [](const std::function<void(Network&)>& change) {
    Network network = on("a", 1).network;
    change(network);
    return error_text<Unsupported>([&] { require_attachable(network); });
  };
  EXPECT_THAT(refusal([](Network& n) { n.driver = "macvlan"; }), HasSubstr("network a: driver macvlan"));
  EXPECT_THAT(refusal([](Network& n) { n.ipam_driver = "dhcp"; }), HasSubstr("ipam driver dhcp"));
  EXPECT_THAT(refusal([](Network& n) { n.options["vlan"] = "4"; }), HasSubstr("option vlan"));
  EXPECT_THROW(require_attachable(Network{.name = "a"}), InvalidArgument);
}

TEST(LayOutLinks, PutsAllIntoPlainData) {
  Arena arena;
  Attachable one = on("a", 1);
  one.network.options = {{"mtu", "1400"}, {"isolate", "strict"}};
  const auto attached = plan_attachments(container(), {one, on("b", 2)});
  const auto links = lay_out_links(arena, {one.network, on("b", 2).network}, attached, 65520);
  ASSERT_EQ(links.size, 2u);
  EXPECT_STREQ(links[0].name, "eth0");
  EXPECT_STREQ(links[0].bridge->name, "podman1");
  EXPECT_EQ(links[0].bridge->mtu, 1400u);
  EXPECT_EQ(links[0].bridge->isolation, netns::Isolation::strict);
  EXPECT_EQ(links[1].bridge->mtu, 65520u);
  EXPECT_EQ(links[1].bridge->isolation, netns::Isolation::isolated);
  ASSERT_EQ(links[0].address_count, 1);
  EXPECT_EQ(netns::render_ip(links[0].addresses[0].address), "10.89.1.2");
  EXPECT_EQ(netns::render_ip(links[0].bridge->addresses[0].address), "10.89.1.1");
  EXPECT_EQ(links[0].bridge->addresses[0].prefix, 24);
  ASSERT_EQ(links[1].route_count, 1);
  EXPECT_EQ(links[1].routes[0].metric, 101u);
}

TEST(LayOutBridge, IsolationCanBeSwitchedOff) {
  Arena arena;
  Network network = default_network();
  network.options["isolate"] = "false";
  EXPECT_EQ(lay_out_bridge(arena, network, 1500)->isolation, netns::Isolation::none);
}

}  // namespace
}  // namespace knarr::engine
