// SPDX-License-Identifier: Apache-2.0
// Containers on bridges: who reaches whom, and what is mended.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "netns/transparent.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "tests/namespace/network_lab.h"
#include "tests/namespace/user_child.h"

namespace knarr::netns {
namespace {

using test::in_new_network;
using test::Lab;
using test::run_in;
using test::tcp_from;
using test::TestContainer;
using test::TestNetwork;
using test::udp_from;
using ::testing::HasSubstr;
using ::testing::Not;

// A network with two containers, v4 and v6.
struct TwoContainers {
  Lab lab;
  TestNetwork network{"web", {"10.88.0.1/24", "fd00:88::1/64"}};
  TestContainer one, two;

  TwoContainers() {
    lab.set_up(network);
    one.join(network, "eth0", {"10.88.0.2/24", "fd00:88::2/64"});
    two.join(network, "eth0", {"10.88.0.3/24", "fd00:88::3/64"});
    lab.connect(one);
    lab.connect(two);
  }
  std::string tcp(const char* address = "10.88.0.3") {
    return tcp_from(one.netns_fd.get(), two.netns_fd.get(), address);
  }
  LinkInfo inside(TestContainer& container) { return find_link(container.inside.route, "eth0").value(); }
  LinkInfo outside(TestContainer& container) {
    return find_link(lab.engine.route, inside(container).peer).value();
  }
};

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

std::vector<std::string> ip_command(std::string_view text) {
  std::vector<std::string> argv{"/sbin/ip"};
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    argv.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return argv;
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

// --- between networks and out ----------------------------------------------------------------------------

// What a container of each of two networks sees of the other: "10.1.0.2" when it is reached.
std::string between(Isolation one, Isolation other, bool internal = false) {
  return in_new_network([&]() -> std::string {
    Lab lab;
    TestNetwork first("first", {"10.1.0.1/24"}), second("second", {"10.2.0.1/24"});
    first.bridge.isolation = one;
    first.bridge.internal = internal;
    second.bridge.isolation = other;
    lab.set_up(first);
    lab.set_up(second);
    TestContainer a, b;
    a.join(first, "eth0", {"10.1.0.2/24"});
    b.join(second, "eth0", {"10.2.0.2/24"});
    lab.connect(a);
    lab.connect(b);
    return concat(tcp_from(a.netns_fd.get(), b.netns_fd.get(), "10.2.0.2"), ", ",
                  tcp_from(b.netns_fd.get(), a.netns_fd.get(), "10.1.0.2"));
  });
}

constexpr const char* reached = "10.1.0.2, 10.2.0.2";
constexpr const char* dropped = "connection timed out, connection timed out";

TEST(Isolation, KeepsIsolatedNetworksApart) {
  EXPECT_EQ(between(Isolation::isolated, Isolation::isolated), dropped);
}
TEST(Isolation, LeavesOthersAlone) {
  EXPECT_EQ(between(Isolation::none, Isolation::none), reached);
  EXPECT_EQ(between(Isolation::isolated, Isolation::none), reached);
}
TEST(Isolation, OfAStrictNetworkIsAgainstAll) {
  EXPECT_EQ(between(Isolation::strict, Isolation::none), dropped);
  EXPECT_EQ(between(Isolation::strict, Isolation::isolated), dropped);
}
TEST(Isolation, AnInternalNetworkIsReachedByNoOther) {
  EXPECT_EQ(between(Isolation::none, Isolation::none, true), dropped);
}

TEST(Isolation, ChangesWithTheNetwork) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              Lab lab;
              TestNetwork network("web", {"10.1.0.1/24"});
              std::string seen;
              for (const Isolation isolation : {Isolation::strict, Isolation::none, Isolation::isolated}) {
                network.bridge.isolation = isolation;
                network.bridge.internal = isolation == Isolation::strict;
                lab.set_up(network);
                for (const char* set : {"isolated", "strict", "internal"}) {
                  const std::string text =
                      run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "list", "set", "inet", "knarr", set});
                  if (text.find("\"web\"") != std::string::npos) seen += std::string(set) + ' ';
                }
                seen += '|';
              }
              return seen;
            }),
            "isolated strict internal ||isolated |");
}

// A namespace with 203.0.113.9 behind the engine's interface tap0.
struct Outside {
  sys::UniqueFd netns_fd = make_network_namespace();
  explicit Outside(Lab& lab) {
    const int engine = lab.engine_fd.get();
    run_in(engine, {"/sbin/ip", "link", "add", "tap0", "type", "veth", "peer", "name", "tap1"});
    Namespace outside = open_namespace(netns_fd.get(), Filtering::no);
    run_in(engine, {"/sbin/ip", "link", "set", "tap1", "netns",
                    concat("/proc/", ::getpid(), "/fd/", netns_fd.get())});
    for (const char* command : {"addr add 192.0.2.1/24 dev tap0", "link set tap0 up",
                                "route add default via 192.0.2.9", "addr add 2001:db8::1/64 dev tap0 nodad"})
      run_in(engine, ip_command(command));
    for (const char* command : {"addr add 192.0.2.9/24 dev tap1", "addr add 203.0.113.9/32 dev tap1",
                                "link set tap1 up", "addr add 2001:db8::9/64 dev tap1 nodad"})
      run_in(netns_fd.get(), ip_command(command));
  }
};

TEST(WayOut, HasTheEnginesAddress) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              Outside outside(lab.lab);
              const int one = lab.one.netns_fd.get();
              return concat(tcp_from(one, outside.netns_fd.get(), "203.0.113.9"), ' ',
                            udp_from(one, outside.netns_fd.get(), "203.0.113.9"), ' ',
                            tcp_from(one, outside.netns_fd.get(), "2001:db8::9"));
            }),
            "192.0.2.1 192.0.2.1 2001:db8::1");
}

TEST(WayOut, AnInternalNetworkHasNone) {
  EXPECT_EQ(in_new_network([] {
              TwoContainers lab;
              Outside outside(lab.lab);
              lab.network.bridge.internal = true;
              lab.lab.set_up(lab.network);
              return concat(tcp_from(lab.one.netns_fd.get(), outside.netns_fd.get(), "203.0.113.9"), ' ',
                            lab.tcp());
            }),
            "connection timed out 10.88.0.2");
}

// --- transparent sockets ---------------------------------------------------------------------------------

sockaddr_in v4_address(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

// A socket in the namespace that speaks as 198.51.100.7.
sys::UniqueFd foreign_socket(int netns_fd, int type, std::uint32_t mark) {
  sys::UniqueFd socket = open_socket_in(netns_fd, AF_INET, type, 0);
  constexpr int on = 1;
  const sockaddr_in foreign = v4_address("198.51.100.7", 7000);
  if (::setsockopt(socket.get(), IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0)
    throw_errno("IP_TRANSPARENT");
  if (mark != 0 && ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
    throw_errno("SO_MARK");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&foreign), sizeof foreign) < 0)
    throw_errno("binding");
  const timeval patience{0, 500'000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return socket;
}

TEST(TransparentReplies, ComeBackToAMarkedConnectionFromInside) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              apply_transparent_replies(lab.one.inside);
              apply_transparent_replies(lab.one.inside);
              const int netns_fd = lab.one.netns_fd.get();
              const sockaddr_in target = v4_address("10.88.0.2", 80);
              const sys::UniqueFd server = open_socket_in(netns_fd, AF_INET, SOCK_STREAM, 0);
              if (::bind(server.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0 ||
                  ::listen(server.get(), 1) < 0)
                return errno_words(errno);
              const sys::UniqueFd client = foreign_socket(netns_fd, SOCK_STREAM, transparent_mark);
              if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0)
                return errno_words(errno);
              sockaddr_in peer{};
              socklen_t size = sizeof peer;
              const sys::UniqueFd accepted{
                  ::accept4(server.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC)};
              char bytes[8] = {};
              if (::write(accepted.get(), "hello", 5) != 5 || ::read(client.get(), bytes, sizeof bytes) != 5)
                return "no answer";
              return ::inet_ntoa(peer.sin_addr);
            }),
            "198.51.100.7");
}

TEST(TransparentReplies, ComeBackToAFlowOfUdpInTheEnginesNamespace) {
  EXPECT_EQ(
      in_new_network([]() -> std::string {
        TwoContainers lab;
        const sockaddr_in target = v4_address("10.88.0.2", 53);
        const sys::UniqueFd server = open_socket_in(lab.one.netns_fd.get(), AF_INET, SOCK_DGRAM, 0);
        if (::bind(server.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0)
          return errno_words(errno);
        const sys::UniqueFd flow = foreign_socket(lab.lab.engine_fd.get(), SOCK_DGRAM, 0);
        if (::connect(flow.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0)
          return errno_words(errno);
        if (::send(flow.get(), "query", 5, 0) != 5) return errno_words(errno);
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        char bytes[8];
        if (::recvfrom(server.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&peer), &size) != 5)
          return "no query";
        if (::sendto(server.get(), "reply", 5, 0, reinterpret_cast<sockaddr*>(&peer), size) != 5)
          return errno_words(errno);
        if (::recv(flow.get(), bytes, sizeof bytes, 0) != 5) return "no reply";
        return ::inet_ntoa(peer.sin_addr);
      }),
      "198.51.100.7");
}

// --- the table -------------------------------------------------------------------------------------------

TEST(Firewall, IsWhatNftLists) {
  const std::string listed = in_new_network([] {
    Lab lab;
    TestNetwork network("web", {"10.88.0.1/24"});
    network.bridge.internal = true;
    const Firewall made = apply_firewall(lab.engine.filter, {"tap0", true, {&network.bridge, 1}});
    return concat(made.isolation, made.masquerade, made.transparent, made.reason, '\n',
                  run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "list", "ruleset"}));
  });
  EXPECT_EQ(listed, R"(111
table inet knarr {
	set bridges {
		type ifname
		elements = { "web" }
	}

	set isolated {
		type ifname
		elements = { "web" }
	}

	set strict {
		type ifname
	}

	set internal {
		type ifname
		elements = { "web" }
	}

	set same {
		type ifname . ifname
		elements = { "web" . "web" }
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname . oifname @same accept
		iifname @isolated oifname @isolated drop
		iifname @strict oifname @bridges drop
		iifname @bridges oifname @strict drop
		iifname @internal drop
		oifname @internal drop
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "tap0" masquerade
	}

	chain prerouting {
		type filter hook prerouting priority mangle; policy accept;
		meta l4proto udp socket transparent 1 meta mark set 0x00006b6e accept
	}
}
)");
}

TEST(Firewall, OfTheHostMasqueradesWhatLeavesTheBridges) {
  const std::string listed = in_new_network([] {
    Lab lab;
    run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "add", "table", "inet", "other"});
    const Firewall made = apply_host_netns(lab.engine, {}, true);
    return concat(made.isolation, made.masquerade, made.transparent, made.reason, '\n',
                  run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "list", "ruleset"}));
  });
  EXPECT_THAT(listed, ::testing::StartsWith("110\n"));
  EXPECT_THAT(listed, HasSubstr("iifname @bridges oifname != @bridges masquerade"));
  EXPECT_THAT(listed, HasSubstr("table inet other"));
  EXPECT_THAT(listed, Not(HasSubstr("socket transparent")));
}

TEST(Firewall, SaysWhenItIsGoneAndComesBackWhole) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              Lab lab;
              TestNetwork network("web", {"10.88.0.1/24"});
              run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "flush", "ruleset"});
              if (apply_bridge_rules(lab.engine.filter, network.bridge) != TableState::missing)
                return "not missed";
              if (remove_bridge_rules(lab.engine.filter, "web") != TableState::missing) return "not missed";
              remove_firewall(lab.engine.filter);
              apply_firewall(lab.engine.filter, {"tap0", true, {&network.bridge, 1}});
              if (remove_bridge_rules(lab.engine.filter, "web") != TableState::there) return "not back";
              remove_bridge_rules(lab.engine.filter, "web");
              const std::string text = run_in(lab.engine_fd.get(), {"/usr/sbin/nft", "list", "ruleset"});
              return text.find("\"web\"") == std::string::npos ? "" : text;
            }),
            "");
}

TEST(Firewall, WithoutNfTablesItSaysSo) {
  netlink::Socket none;
  const Firewall made = apply_firewall(none, {});
  EXPECT_FALSE(made.isolation || made.masquerade || made.transparent);
  EXPECT_EQ(made.reason, "protocol not supported");
}

// --- sysctls ---------------------------------------------------------------------------------------------

TEST(HostNetns, HearsRoutersWhenItStartsToForward) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              const sys::UniqueFd host_fd = make_network_namespace();
              Namespace host = open_namespace(host_fd.get(), Filtering::yes);
              run_in(host_fd.get(), {"/sbin/ip", "link", "add", "wan", "type", "bridge"});
              run_in(host_fd.get(), {"/sbin/ip", "link", "add", "deaf", "type", "bridge"});
              test::write_sysctl_in(host_fd.get(), "ipv6/conf/deaf/accept_ra", "0");
              const auto read = [&](const char* name) {
                return run_in(host_fd.get(), {"/bin/cat", concat("/proc/sys/net/", name)});
              };
              apply_host_netns(host, {}, false);
              const std::string before = read("ipv6/conf/all/forwarding") + read("ipv6/conf/wan/accept_ra");
              apply_host_netns(host, {}, true);
              return before + read("ipv4/ip_forward") + read("ipv6/conf/all/forwarding") +
                     read("ipv6/conf/wan/accept_ra") + read("ipv6/conf/deaf/accept_ra");
            }),
            "0\n1\n1\n1\n2\n0\n");
}

}  // namespace
}  // namespace knarr::netns
