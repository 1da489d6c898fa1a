// SPDX-License-Identifier: Apache-2.0
#include "engine/etc_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ContainerConfig container() {
  ContainerConfig config;
  config.id = "0123456789abcdef";
  config.name = "web";
  return config;
}

TEST(HostnameOf, IsTheShortIdUnlessTheUserOrTheHostSaysOtherwise) {
  ContainerConfig config = container();
  EXPECT_EQ(hostname_of(config, "box"), "0123456789ab");
  config.namespaces.uts = "host";
  EXPECT_EQ(hostname_of(config, "box"), "box");
  config.hostname = "mine";
  EXPECT_EQ(hostname_of(config, "box"), "mine");
}

TEST(RenderHosts, NamesTheContainerItself) {
  EXPECT_THAT(render_hosts(container(), "abc", {}), HasSubstr("127.0.0.1\tabc web\n"));
}

TEST(RenderHosts, AddsTheUsersEntriesWithIpv6AddressesWhole) {
  ContainerConfig config = container();
  config.add_hosts = {"db:10.0.0.1", "six:fd00::1"};
  const std::string hosts = render_hosts(config, "abc", {});
  EXPECT_THAT(hosts, HasSubstr("10.0.0.1\tdb\n"));
  EXPECT_THAT(hosts, HasSubstr("fd00::1\tsix\n"));
}

TEST(RenderResolvConf, CopiesTheHostsOnlyWhereItsNetworkIsShared) {
  ContainerConfig config = container();
  EXPECT_EQ(render_resolv_conf(config, {}, "nameserver 127.0.0.53\n"), "");
  config.namespaces.network = "host";
  EXPECT_EQ(render_resolv_conf(config, {}, "nameserver 127.0.0.53\n"), "nameserver 127.0.0.53\n");
}

TEST(RenderResolvConf, TakesTheUsersSettingsInsteadOfTheHosts) {
  ContainerConfig config = container();
  config.namespaces.network = "host";
  config.dns_servers = {"9.9.9.9", "::1"};
  config.dns_search = {"a.test", "b.test"};
  config.dns_options = {"ndots:2"};
  EXPECT_EQ(render_resolv_conf(config, {}, "nameserver 127.0.0.53\n"),
            "search a.test b.test\nnameserver 9.9.9.9\nnameserver ::1\noptions ndots:2\n");
}

// --- networks ---

AttachedNetwork attached(const std::string& name, const char* address, const char* gateway, bool dns = true) {
  AttachedNetwork network;
  network.network = name;
  network.addresses = {*netns::parse_subnet(address)};
  network.gateways = {*netns::parse_ip(gateway)};
  network.routes = {{*netns::parse_subnet("0.0.0.0/0"), network.gateways[0], 100}};
  network.dns = dns;
  return network;
}

ContainerConfig bridged() {
  ContainerConfig config = container();
  config.namespaces.network = "bridge";
  config.networks = {{.network = "web"}};
  return config;
}

constexpr const char* host_file =
    "# made by hand\nsearch corp.example lan\nnameserver 127.0.0.53\nnameserver 192.0.2.1\noptions edns0\n";

TEST(RenderHosts, NamesTheContainerByItsAddressesAndTheHost) {
  AttachedNetwork both = attached("web", "10.89.0.2/24", "10.89.0.1");
  both.addresses.push_back(*netns::parse_subnet("fd00::2/64"));
  const NetworkNames names{.networks = {both, attached("db", "10.90.0.2/24", "10.90.0.1")},
                           .host = netns::parse_ip("169.254.1.2")};
  const std::string hosts = render_hosts(bridged(), "abc", names);
  EXPECT_THAT(hosts, HasSubstr("10.89.0.2\tabc web\nfd00::2\tabc web\n10.90.0.2\tabc web\n"));
  EXPECT_THAT(hosts, HasSubstr("169.254.1.2\thost.containers.internal host.docker.internal\n"));
  EXPECT_THAT(hosts, Not(HasSubstr("127.0.0.1\tabc")));
}

TEST(RenderHosts, WithoutAWayToTheHostItHasNoName) {
  const std::string hosts = render_hosts(bridged(), "abc", {});
  EXPECT_THAT(hosts, Not(HasSubstr("host.containers.internal")));
  EXPECT_THAT(hosts, HasSubstr("127.0.0.1\tabc web\n"));
}

TEST(RenderHosts, LinesOfTheBaseComeLast) {
  const std::string hosts = render_hosts(container(), "abc", {}, "192.0.2.1 corp");
  EXPECT_THAT(hosts, ::testing::EndsWith("127.0.0.1\tabc web\n192.0.2.1 corp\n"));
}

TEST(RenderHosts, HostGatewayIsWhereTheHostIs) {
  ContainerConfig config = bridged();
  config.add_hosts = {"box:host-gateway"};
  EXPECT_THAT(render_hosts(config, "abc", {.networks = {}, .host = netns::parse_ip("169.254.1.2")}),
              HasSubstr("169.254.1.2\tbox\n"));
  EXPECT_THROW(render_hosts(config, "abc", {}), Unsupported);
  config.namespaces.network = "host";
  EXPECT_THAT(render_hosts(config, "abc", {}), HasSubstr("127.0.0.1\tbox\n"));
}

TEST(RenderResolvConf, AsksTheGatewayOfEachNetworkWithNames) {
  EXPECT_EQ(
      render_resolv_conf(
          bridged(),
          {attached("web", "10.89.0.2/24", "10.89.0.1"), attached("mute", "10.90.0.2/24", "10.90.0.1", false),
           attached("db", "10.91.0.2/24", "10.91.0.1")},
          host_file),
      "search dns.podman corp.example lan\nnameserver 10.89.0.1\nnameserver 10.91.0.1\noptions edns0\n");
}

TEST(RenderResolvConf, WithoutNamesItAsksTheHostsServersButNotTheLoopback) {
  EXPECT_EQ(render_resolv_conf(bridged(), {attached("web", "10.89.0.2/24", "10.89.0.1", false)}, host_file),
            "search corp.example lan\nnameserver 192.0.2.1\noptions edns0\n");
}

TEST(RenderResolvConf, AnInternalNetworkLearnsNothingOfTheHostsDomains) {
  AttachedNetwork internal = attached("web", "10.89.0.2/24", "10.89.0.1");
  internal.routes.clear();
  EXPECT_EQ(render_resolv_conf(bridged(), {internal}, host_file),
            "search dns.podman\nnameserver 10.89.0.1\noptions edns0\n");
}

TEST(RenderResolvConf, TheUsersServersAreAskedByOursWhereThereIsOne) {
  ContainerConfig config = bridged();
  config.dns_servers = {"9.9.9.9"};
  config.dns_search = {"."};
  config.dns_options = {"ndots:2"};
  EXPECT_EQ(render_resolv_conf(config, {attached("web", "10.89.0.2/24", "10.89.0.1")}, host_file),
            "nameserver 10.89.0.1\noptions ndots:2\n");
  EXPECT_EQ(render_resolv_conf(config, {attached("web", "10.89.0.2/24", "10.89.0.1", false)}, host_file),
            "nameserver 9.9.9.9\noptions ndots:2\n");
}

}  // namespace
}  // namespace knarr::engine
