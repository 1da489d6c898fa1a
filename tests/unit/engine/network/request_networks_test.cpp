// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/network/network_store.h"
#include "engine/request/networks.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ContainerConfig plan_with(const std::vector<std::string>& networks,
                          const std::function<void(CreateRequest&)>& change = {}) {
  CreateRequest request = plain_request();
  request.networks = networks;
  if (change) change(request);
  return plan(request);
}

std::string refusal(const std::vector<std::string>& networks,
                    const std::function<void(CreateRequest&)>& change = {}) {
  return error_text<InvalidArgument>([&] { plan_with(networks, change); });
}

std::vector<std::string> names_of(const ContainerConfig& config) {
  std::vector<std::string> names;
  for (const NetworkAttachment& attachment : config.networks) names.push_back(attachment.network);
  return names;
}

TEST(PlanNetworks, TheDefaultNetworkIsTheDefault) {
  for (const std::vector<std::string>& said :
       std::vector<std::vector<std::string>>{{}, {""}, {"bridge"}, {"private"}, {"default"}, {"podman"}}) {
    const ContainerConfig config = plan_with(said);
    EXPECT_EQ(config.namespaces.network, "bridge");
    EXPECT_THAT(names_of(config), ElementsAre("podman"));
  }
}

TEST(PlanNetworks, SeveralAreTakenInTheirOrder) {
  EXPECT_THAT(names_of(plan_with({"web", "bridge", "db"})), ElementsAre("web", "podman", "db"));
  EXPECT_THAT(names_of(plan_with({"web,db"})), ElementsAre("web", "db"));
}

TEST(PlanNetworks, OtherModesHaveNoNetworks) {
  for (const char* mode : {"none", "host", "container:db", "ns:/run/netns/x"}) {
    const ContainerConfig config = plan_with({mode});
    EXPECT_EQ(config.namespaces.network, mode);
    EXPECT_THAT(config.networks, IsEmpty());
  }
  EXPECT_EQ(plan_with({"ns:x"}).namespaces.network, "ns:/home/me/work/x");
}

TEST(PlanNetworks, OptionsBelongToTheirNetwork) {
  const ContainerConfig config =
      plan_with({"web:ip=10.89.0.5,ip6=fd00::5,mac=02-00-00-00-00-01,alias=a,alias=b,"
                 "interface_name=net0,host_interface_name=web0",
                 "db"});
  ASSERT_THAT(config.networks, SizeIs(2));
  const NetworkAttachment& web = config.networks[0];
  EXPECT_THAT(web.addresses, ElementsAre(*netns::parse_ip("10.89.0.5"), *netns::parse_ip("fd00::5")));
  EXPECT_EQ(netns::render_mac(*web.mac), "02:00:00:00:00:01");
  EXPECT_THAT(web.aliases, ElementsAre("a", "b"));
  EXPECT_EQ(web.interface, "net0");
  EXPECT_EQ(web.host_interface, "web0");
  EXPECT_EQ(config.networks[1], NetworkAttachment{.network = "db"});
}

TEST(PlanNetworks, FlagsGoToTheOnlyNetworkAndAliasesToAll) {
  const ContainerConfig config = plan_with({}, [](CreateRequest& r) {
    r.ip = "10.88.0.9";
    r.ip6 = "fd00::9";
    r.mac_address = "02:00:00:00:00:09";
  });
  EXPECT_THAT(config.networks[0].addresses, SizeIs(2));
  EXPECT_TRUE(config.networks[0].mac);
  const ContainerConfig two = plan_with({"web:alias=x", "db"}, [](CreateRequest& r) {
    r.network_aliases = {"x", "y"};
  });
  EXPECT_THAT(two.networks[0].aliases, ElementsAre("x", "y"));
  EXPECT_THAT(two.networks[1].aliases, ElementsAre("x", "y"));
}

TEST(PlanNetworks, RefusesMixtures) {
  EXPECT_THAT(refusal({"none", "host"}), HasSubstr("selected mode none"));
  EXPECT_THAT(refusal({"bridge", "host"}), HasSubstr("selected mode host conflicts with bridge"));
  EXPECT_THAT(refusal({"web", "container:x"}), HasSubstr("selected mode container"));
  EXPECT_THAT(refusal({"none:ip=1.2.3.4"}), HasSubstr("takes no options"));
  EXPECT_THAT(refusal({"container"}), HasSubstr("requires a value"));
  EXPECT_THAT(refusal({"container:"}), HasSubstr("a container is needed"));
  EXPECT_THAT(refusal({"host"}, [](CreateRequest& r) { r.ip = "10.1.1.1"; }),
              HasSubstr("--ip can only be set when the network mode is bridge"));
  EXPECT_THAT(refusal({"none"}, [](CreateRequest& r) { r.network_aliases = {"x"}; }),
              HasSubstr("--network-alias"));
  EXPECT_THAT(refusal({"web", "db"}, [](CreateRequest& r) { r.mac_address = "02:00:00:00:00:09"; }),
              HasSubstr("--mac-address can only be set for a single network"));
}

TEST(PlanNetworks, RefusesOptionsThatCannotBe) {
  EXPECT_THAT(refusal({"web:foo=1"}), HasSubstr("unknown bridge network option: foo"));
  EXPECT_THAT(refusal({"web:"}), HasSubstr("unknown bridge network option"));
  EXPECT_THAT(refusal({":ip=1.2.3.4"}), HasSubstr("name is needed"));
  EXPECT_THAT(refusal({"web:ip=x"}), HasSubstr("not an IP address"));
  EXPECT_THAT(refusal({"web:ip=10.1.1.1,ip6=10.1.1.2"}), HasSubstr("wished for already"));
  EXPECT_THAT(refusal({"web:mac=zz"}), HasSubstr("invalid MAC address"));
  EXPECT_THAT(refusal({"web:mac=01:00:00:00:00:01"}), HasSubstr("not an address that an interface can have"));
  EXPECT_THAT(refusal({"web:alias=a b"}), HasSubstr("not a host name"));
  EXPECT_THAT(refusal({"web:interface_name=sixteen-letters0"}), HasSubstr("no name of an interface"));
}

TEST(PlanNetworks, UserModeNetworksAreNamedAsUnsupported) {
  for (const char* mode : {"pasta", "pasta:--mtu,1500", "slirp4netns:port_handler=slirp4netns"}) {
    EXPECT_THAT(error_text<Unsupported>([&] { plan_with({mode}); }), HasSubstr("not supported yet")) << mode;
  }
}

TEST(PlanNetworks, PortsOfImageAndUserAreExposed) {
  storage::Image image = plain_image();
  image.config.exposed_ports = {"53/udp", "80/tcp", "nonsense", "9/sctp"};
  CreateRequest request = plain_request();
  request.expose = {"80", "90-91"};
  request.publish = {"8080:80"};
  request.publish_all = true;
  const ContainerConfig config = plan(request, image);
  EXPECT_THAT(config.exposed,
              ElementsAre(parse_exposed("53/udp"), parse_exposed("80"), parse_exposed("90-91")));
  EXPECT_THAT(config.ports, SizeIs(4));
  EXPECT_FALSE(discards_ports(request, config));
}

TEST(PlanNetworks, ModesWithoutPortsDiscardThem) {
  CreateRequest request = plain_request();
  request.networks = {"host"};
  request.publish = {"8080:80"};
  const ContainerConfig config = plan(request);
  EXPECT_THAT(config.ports, IsEmpty());
  EXPECT_TRUE(discards_ports(request, config));
}

// --- against the definitions ---

Network web() {
  Network network = default_network();
  network.name = "web";
  network.subnets = {
      {.subnet = *netns::parse_subnet("10.89.0.0/24"), .gateway = netns::parse_ip("10.89.0.1"), .range = {}}};
  return network;
}

std::string wish(const std::string& text, const Network& network = web()) {
  return error_text<InvalidArgument>([&] { check_wishes(parse_network_attachment(text), network); });
}

TEST(CheckWishes, TakesHostsOfTheNetwork) {
  EXPECT_EQ(wish("web:ip=10.89.0.5,alias=db"), "(no error)");
  EXPECT_THAT(wish("web:ip=10.90.0.5"),
              HasSubstr("requested static ip 10.90.0.5 not in any subnet on network web"));
  EXPECT_THAT(wish("web:ip=fd00::5"), HasSubstr("not in any subnet"));
  EXPECT_THAT(wish("web:ip=10.89.0.1"), HasSubstr("is the gateway"));
  EXPECT_THAT(wish("web:ip=10.89.0.255"), HasSubstr("no host's address"));
  EXPECT_THAT(wish("web:ip=10.89.0.0"), HasSubstr("no host's address"));
}

TEST(CheckWishes, AliasesNeedDns) {
  Network network = web();
  network.dns = false;
  EXPECT_THAT(wish("web:alias=x", network), HasSubstr("it has no DNS"));
}

TEST(ResolveNetworks, PutsTheNameInPlaceOfTheId) {
  std::vector<NetworkAttachment> attachments = {{.network = "abc"}};
  resolve_networks(attachments, [](const std::string&) { return web(); });
  EXPECT_EQ(attachments[0].network, "web");
}

TEST(ResolveNetworks, RefusesANetworkThatIsGivenTwice) {
  std::vector<NetworkAttachment> attachments = {{.network = "web"}, {.network = "abc"}};
  EXPECT_THAT(error_text<InvalidArgument>(
                  [&] { resolve_networks(attachments, [](const std::string&) { return web(); }); }),
              HasSubstr("network web is given twice"));
}

}  // namespace
}  // namespace knarr::engine
