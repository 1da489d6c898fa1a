// SPDX-License-Identifier: Apache-2.0
#include "engine/etc_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_THAT(render_hosts(container(), "abc"), HasSubstr("127.0.0.1\tabc web\n"));
}

TEST(RenderHosts, AddsTheUsersEntriesWithIpv6AddressesWhole) {
  ContainerConfig config = container();
  config.add_hosts = {"db:10.0.0.1", "six:fd00::1"};
  const std::string hosts = render_hosts(config, "abc");
  EXPECT_THAT(hosts, HasSubstr("10.0.0.1\tdb\n"));
  EXPECT_THAT(hosts, HasSubstr("fd00::1\tsix\n"));
}

TEST(RenderResolvConf, CopiesTheHostsOnlyWhereItsNetworkIsShared) {
  ContainerConfig config = container();
  EXPECT_EQ(render_resolv_conf(config, "nameserver 127.0.0.53\n"), "");
  config.namespaces.network = "host";
  EXPECT_EQ(render_resolv_conf(config, "nameserver 127.0.0.53\n"), "nameserver 127.0.0.53\n");
}

TEST(RenderResolvConf, TakesTheUsersSettingsInsteadOfTheHosts) {
  ContainerConfig config = container();
  config.namespaces.network = "host";
  config.dns_servers = {"9.9.9.9", "::1"};
  config.dns_search = {"a.test", "b.test"};
  config.dns_options = {"ndots:2"};
  EXPECT_EQ(render_resolv_conf(config, "nameserver 127.0.0.53\n"),
            "search a.test b.test\nnameserver 9.9.9.9\nnameserver ::1\noptions ndots:2\n");
}

}  // namespace
}  // namespace knarr::engine
