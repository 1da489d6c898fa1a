// SPDX-License-Identifier: Apache-2.0
// Containers on bridges: who reaches whom, and what is mended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "tests/namespace/network_lab.h"
#include "tests/namespace/user_child.h"

namespace knarr::netns {
namespace {

using test::in_new_network;
using test::ip_command;
using test::Lab;
using test::run_in;
using test::tcp_from;
using test::TestContainer;
using test::TestNetwork;
using test::TwoContainers;
using test::udp_from;

TEST(Network, ItsContainersReachEachOtherAtOnce) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              return concat(lab.tcp(), ' ', lab.tcp("fd00:88::3"), ' ',
                            udp_from(lab.two.netns_fd.get(), lab.one.netns_fd.get(), "10.88.0.2"), ' ',
                            udp_from(lab.two.netns_fd.get(), lab.one.netns_fd.get(), "fd00:88::2"));
            }),
            "10.88.0.2 fd00:88::2 10.88.0.3 fd00:88::3");
}

TEST(Network, ItsGatewayIsReachedAtOnce) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              const int engine = lab.lab.engine_fd.get();
              return concat(udp_from(lab.one.netns_fd.get(), engine, "10.88.0.1"), ' ',
                            udp_from(lab.one.netns_fd.get(), engine, "fd00:88::1"), ' ',
                            tcp_from(engine, lab.two.netns_fd.get(), "fd00:88::3"));
            }),
            "10.88.0.2 fd00:88::2 fd00:88::1");
}

TEST(Network, ContainersOwnedByNestedUserNamespacesAreConnected) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              test::Child nested(
                  [] {
                    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) throw_errno("nesting");
                    return std::string();
                  },
                  test::Child::After::stays);
              const sys::UniqueFd netns_fd = open_network_namespace(nested.pid());
              Namespace inside = open_container_namespace(netns_fd.get());
              TestContainer third;
              third.join(lab.network, "eth0", {"10.88.0.4/24"});
              apply_link(lab.lab.engine, inside, third.link);
              return nested.answer() + tcp_from(netns_fd.get(), lab.two.netns_fd.get(), "10.88.0.3");
            }),
            "10.88.0.4");
}

TEST(Network, HasTheAskedMtuAndMac) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              const auto bridge = find_link(lab.lab.engine.route, "web").value();
              const auto inside = lab.inside(lab.one);
              const auto outside = lab.outside(lab.one);
              return concat(bridge.mtu, ' ', inside.mtu, ' ', outside.mtu, ' ', render_mac(inside.mac), ' ',
                            bridge.mac == bridge_mac("web") ? "own" : render_mac(bridge.mac));
            }),
            "65520 65520 65520 02:42:0a:58:00:02 own");
}

TEST(Network, OnlyTheBridgeHasAddressesInTheEnginesNamespace) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              std::string found;
              const int port = lab.outside(lab.one).index;
              for (const AddressInfo& address : list_addresses(lab.lab.engine.route)) {
                if (address.link == loopback_index) continue;
                found += render_ip(address.address.address) + (address.link == port ? " on a port\n" : "\n");
              }
              return found;
            }),
            "10.88.0.1\nfd00:88::1\nfe80::1\n");
}

TEST(Network, SixtyContainersFit) {
  EXPECT_EQ(
      in_new_network([]() -> std::string {
        Lab lab;
        TestNetwork network("many", {"10.88.0.1/16"});
        lab.set_up(network);
        std::vector<std::unique_ptr<TestContainer>> containers;
        for (int i = 0; i < 60; ++i) {
          containers.push_back(std::make_unique<TestContainer>());
          const std::string address = concat("10.88.1.", i, "/16");
          containers.back()->join(network, "eth0", {address.c_str()});
          lab.connect(*containers.back());
        }
        const auto links = list_links(lab.engine.route);
        const auto ports =
            std::count_if(links.begin(), links.end(), [](const LinkInfo& link) { return link.master != 0; });
        return concat(ports, ' ',
                      tcp_from(containers[0]->netns_fd.get(), containers[59]->netns_fd.get(), "10.88.1.59"));
      }),
      "60 10.88.1.0");
}

TEST(Network, ManyMakeTheSameBridgeAtOnce) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              Lab lab;
              TestNetwork network("web", {"10.88.0.1/24", "fd00:88::1/64"});
              sys::Pipe start = sys::make_pipe();
              std::vector<pid_t> pids;
              for (int i = 0; i < 8; ++i)
                pids.push_back(sys::fork_child([&] {
                  start.write.reset();
                  Namespace engine = open_namespace(lab.engine_fd.get(), Filtering::yes);
                  char byte;
                  [[maybe_unused]] const auto got = ::read(start.read.get(), &byte, 1);
                  apply_bridge(engine, network.bridge);
                  return apply_bridge_rules(engine.filter, network.bridge) == TableState::there ? 0 : 1;
                }));
              start.write.reset();
              std::string failed;
              for (const pid_t pid : pids) {
                if (sys::wait_child(pid).code != 0) failed += "failed ";
              }
              return concat(
                  failed,
                  list_addresses(lab.engine.route, find_link(lab.engine.route, "web").value().index).size());
            }),
            "3");
}

TEST(Network, WithoutIpv6ItIsIpv4Only) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              Lab lab;
              TestNetwork network("web", {"10.88.0.1/24", "fd00:88::1/64"});
              lab.set_up(network);
              TestContainer one, two;
              for (TestContainer* container : {&one, &two})
                test::write_sysctl_in(container->netns_fd.get(), "ipv6/conf/default/disable_ipv6", "1");
              one.join(network, "eth0", {"10.88.0.2/24", "fd00:88::2/64"});
              two.join(network, "eth0", {"10.88.0.3/24", "fd00:88::3/64"});
              lab.connect(one);
              lab.connect(two);
              return tcp_from(one.netns_fd.get(), two.netns_fd.get(), "10.88.0.3");
            }),
            "10.88.0.2");
}

TEST(Network, TheContainerHasItsRoutesAndNoOthers) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              lab.lab.connect(lab.one);
              const int inside = lab.one.netns_fd.get();
              return run_in(inside, {"/sbin/ip", "-4", "route"}) +
                     run_in(inside, {"/sbin/ip", "-6", "route", "show", "default"});
            }),
            "default via 10.88.0.1 dev eth0 proto static metric 100 \n"
            "10.88.0.0/24 dev eth0 proto kernel scope link src 10.88.0.2 \n"
            "default via fd00:88::1 dev eth0 proto static metric 100 pref medium\n");
}

TEST(Network, ANameThatIsTakenIsAConflict) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              run_in(lab.lab.engine_fd.get(), {"/sbin/ip", "link", "add", "db", "type", "veth"});
              TestNetwork network("db", {"10.89.0.1/24"});
              lab.lab.set_up(network);
              return std::string();
            }),
            "threw: setting up bridge db: there is an interface with this name and it is no bridge\nhint: ");
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              run_in(lab.one.netns_fd.get(), {"/sbin/ip", "link", "add", "eth1", "type", "bridge"});
              TestNetwork network("db", {"10.89.0.1/24"});
              lab.lab.set_up(network);
              lab.one.join(network, "eth1", {"10.89.0.2/24"});
              lab.lab.connect(lab.one);
              return std::string();
            }),
            "threw: setting up interface eth1 on bridge db: the container has another interface with this "
            "name\nhint: ");
}

// --- mending ---------------------------------------------------------------------------------------------

struct Damage {
  const char* name;
  std::vector<std::string> command;
  bool in_engine;
};

constexpr const char* all_reached = "10.88.0.2 fd00:88::2 10.88.0.2";
// Neighbours that were asked for in vain are asked for again after a second.
std::string reached_from_one(TwoContainers& lab, int patience_ms) {
  const int one = lab.one.netns_fd.get(), two = lab.two.netns_fd.get();
  return concat(tcp_from(one, two, "10.88.0.3", patience_ms), ' ',
                tcp_from(one, two, "fd00:88::3", patience_ms), ' ',
                tcp_from(one, lab.lab.engine_fd.get(), "10.88.0.1", patience_ms));
}

class Mends : public ::testing::TestWithParam<Damage> {};

// The tests name the bridge's end of the first container's link "port".
TEST_P(Mends, WhatIsWrong) {
  EXPECT_EQ(in_new_network([&]() -> std::string {
              TwoContainers lab;
              run_in(lab.lab.engine_fd.get(),
                     {"/sbin/ip", "link", "set", lab.outside(lab.one).name, "name", "port"});
              const int there = (GetParam().in_engine ? lab.lab.engine_fd : lab.one.netns_fd).get();
              if (const std::string said = run_in(there, GetParam().command); !said.empty()) return said;
              if (reached_from_one(lab, 200) == all_reached) return "the damage does no harm";
              lab.lab.set_up(lab.network);
              lab.lab.connect(lab.one);
              lab.lab.connect(lab.two);
              if (const std::string reached = reached_from_one(lab, 5000); reached != all_reached)
                return reached;
              return render_mac(lab.inside(lab.one).mac);
            }),
            "02:42:0a:58:00:02");
}

INSTANTIATE_TEST_SUITE_P(
    Network, Mends,
    ::testing::Values(Damage{"BridgeDown", ip_command("link set web down"), true},
                      Damage{"BridgeMissing", ip_command("link del web"), true},
                      Damage{"BridgeWithoutAddress", ip_command("addr del 10.88.0.1/24 dev web"), true},
                      Damage{"BridgeWithoutAnyAddress", ip_command("addr flush dev web"), true},
                      Damage{"PortDown", ip_command("link set port down"), true},
                      Damage{"PortNotEnslaved", ip_command("link set port nomaster"), true},
                      Damage{"PairMissing", ip_command("link del port"), true},
                      Damage{"InterfaceDown", ip_command("link set eth0 down"), false},
                      Damage{"AddressMissing", ip_command("addr del 10.88.0.2/24 dev eth0"), false},
                      Damage{"Ipv6Missing", ip_command("-6 addr flush dev eth0"), false},
                      Damage{"AddressesMissing", ip_command("addr flush dev eth0"), false}),
    [](const auto& damage) { return damage.param.name; });

TEST(Network, WrongAddressesGoAndASmallerMtuGrows) {
  EXPECT_THAT(
      in_new_network([]() -> std::string {
        TwoContainers lab;
        const int engine = lab.lab.engine_fd.get();
        run_in(engine, {"/sbin/ip", "addr", "add", "10.99.0.1/24", "dev", "web"});
        run_in(engine, {"/sbin/ip", "link", "set", "web", "mtu", "1400"});
        const int inside = lab.one.netns_fd.get();
        run_in(inside, {"/sbin/ip", "addr", "add", "10.88.0.99/24", "dev", "eth0"});
        run_in(inside, {"/sbin/ip", "link", "set", "eth0", "mtu", "1400", "address", "02:00:00:00:00:09"});
        run_in(inside, {"/sbin/ip", "route", "add", "10.7.0.0/16", "via", "10.88.0.1", "proto", "static"});
        lab.lab.set_up(lab.network);
        lab.lab.connect(lab.one);
        return concat(lab.inside(lab.one).mtu, ' ', render_mac(lab.inside(lab.one).mac), ' ',
                      find_link(lab.lab.engine.route, "web").value().mtu, '\n',
                      run_in(engine, {"/sbin/ip", "-4", "-br", "addr", "show", "web"}),
                      run_in(inside, {"/sbin/ip", "-4", "-br", "addr", "show", "eth0"}),
                      run_in(inside, {"/sbin/ip", "route", "show", "10.7.0.0/16"}));
      }),
      ::testing::MatchesRegex(
          "65520 02:42:0a:58:00:02 65520\nweb +UP +10.88.0.1/24 \neth0@[^ ]+ +UP +10.88.0.2/24 \n"));
}

TEST(Network, ABridgeOfSomebodyElseKeepsWhatItHas) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              Lab lab;
              const int engine = lab.engine_fd.get();
              run_in(engine, {"/sbin/ip", "link", "add", "lan", "type", "bridge"});
              run_in(engine, {"/sbin/ip", "addr", "add", "10.99.0.1/24", "dev", "lan"});
              TestNetwork network("lan", {"10.88.0.1/24"});
              lab.set_up(network);
              remove_bridge(lab.engine, "lan");
              return concat(
                  find_link(lab.engine.route, "lan").value().mtu, ' ',
                  list_addresses(lab.engine.route, find_link(lab.engine.route, "lan").value().index).size());
            }),
            "1500 3");  // and its own link-local one
}

// --- connecting and disconnecting ------------------------------------------------------------------------

TEST(Network, ADetachedLinkIsOffAtOnceAndItsNameFree) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              detach_link(lab.lab.engine, lab.one.inside, "eth0");
              if (find_link(lab.one.inside.route, "eth0")) return "eth0 is still there";
              if (lab.tcp() != "network is unreachable") return "still connected";
              lab.lab.connect(lab.one);
              if (lab.tcp() != "10.88.0.2") return "not connected again";
              detach_link(lab.lab.engine, lab.one.inside, "eth0");
              detach_link(lab.lab.engine, lab.one.inside, "eth0");
              lab.lab.connect(lab.one);
              collect_links(lab.lab.engine);
              return concat(lab.tcp(), ' ', list_links(lab.one.inside.route).size(), ' ',
                            list_links(lab.lab.engine.route).size());
            }),
            "10.88.0.2 2 4");  // lo and eth0; lo, web and two ports
}

TEST(Network, ALinkWithAnOldNameReplacesWhatADeadContainerLeft) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              TestContainer before, after;
              for (TestContainer* container : {&before, &after}) {
                container->join(lab.network, "eth0", {"10.88.0.9/24"});
                std::strcpy(container->link.host_name, "port9");
                lab.lab.connect(*container);
              }
              return tcp_from(after.netns_fd.get(), lab.two.netns_fd.get(), "10.88.0.3");
            }),
            "10.88.0.9");
}

TEST(Network, BridgesInUseAreThoseWithAPort) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              TestNetwork idle("idle", {"10.89.0.1/24"});
              lab.lab.set_up(idle);
              std::string used;
              for (const std::string& name : list_used_bridges(lab.lab.engine.route)) used += name + ' ';
              remove_bridge(lab.lab.engine, "idle");
              remove_bridge(lab.lab.engine, "idle");
              return used + (find_link(lab.lab.engine.route, "idle") ? "still there" : "");
            }),
            "web ");
}

}  // namespace
}  // namespace knarr::netns
