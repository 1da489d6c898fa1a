// SPDX-License-Identifier: Apache-2.0
// What may pass between networks and out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "tests/namespace/network_lab.h"

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
using ::testing::HasSubstr;
using ::testing::Not;

// What a container of each of two networks sees of the other: "10.1.0.2" when it is reached.
std::string between(Isolation one, Isolation other, bool internal = false, int patience_ms = 300) {
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
    return concat(tcp_from(a.netns_fd.get(), b.netns_fd.get(), "10.2.0.2", patience_ms), ", ",
                  tcp_from(b.netns_fd.get(), a.netns_fd.get(), "10.1.0.2", patience_ms));
  });
}

constexpr const char* reached = "10.1.0.2, 10.2.0.2";
constexpr const char* dropped = "connection timed out, connection timed out";

TEST(Isolation, KeepsIsolatedNetworksApart) {
  EXPECT_EQ(between(Isolation::isolated, Isolation::isolated), dropped);
}
TEST(Isolation, LeavesOthersAlone) {
  EXPECT_EQ(between(Isolation::none, Isolation::none, false, 5000), reached);
  EXPECT_EQ(between(Isolation::isolated, Isolation::none, false, 5000), reached);
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
              return concat(tcp_from(one, outside.netns_fd.get(), "203.0.113.9", 5000), ' ',
                            udp_from(one, outside.netns_fd.get(), "203.0.113.9", 5000), ' ',
                            tcp_from(one, outside.netns_fd.get(), "2001:db8::9", 5000));
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
