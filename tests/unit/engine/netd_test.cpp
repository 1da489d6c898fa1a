// SPDX-License-Identifier: Apache-2.0
// knarr-netd without sockets: its files, messages, answers and command lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "engine/netd/answer.h"
#include "engine/netd/resolv_conf.h"
#include "engine/netd/served_network.h"
#include "engine/netd/way_out_runner.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"
#include "tests/support/temporary_directory.h"

namespace knarr::engine::netd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

netns::IpAddress ip(const char* text) {
  return netns::parse_ip(text).value();
}

// ---- the network file ----

TEST(ServedNetwork, IsReadAsItWasWritten) {
  const ServedNetwork network{"podman1",
                              {*netns::parse_subnet("10.89.0.0/24"), *netns::parse_subnet("fd00::/64")},
                              {ip("10.89.0.1"), ip("fd00::1")},
                              {ip("192.0.2.53")},
                              ip("169.254.1.2"),
                              true,
                              true};
  EXPECT_EQ(parse_served_network(render_served_network(network)), network);
}

TEST(ServedNetwork, LinesThatAreNotUnderstoodAreLeftOut) {
  const ServedNetwork network =
      parse_served_network("later thing\ngateway no\n\nsubnet 10.89.0.1/24\ndns yes");
  EXPECT_THAT(network.gateways, IsEmpty());
  EXPECT_THAT(network.subnets, ElementsAre(*netns::parse_subnet("10.89.0.0/24")));
  EXPECT_TRUE(network.dns);
}

// ---- resolv.conf ----

TEST(ResolvConf, NameserversInOrderAndOnce) {
  const auto servers = parse_resolv_conf(
      "# nameserver 1.1.1.1\nsearch a b\n nameserver\t192.0.2.1 trailing\nnameserver fe80::1%eth0\n"
      "nameserver 192.0.2.1\nnameservers 9.9.9.9\nnameserver bad\r\nnameserver 2001:db8::1\r\n");
  EXPECT_THAT(servers, ElementsAre(Nameserver{ip("192.0.2.1"), ""}, Nameserver{ip("fe80::1"), "eth0"},
                                   Nameserver{ip("2001:db8::1"), ""}));
}

TEST(ResolvConf, WithoutANameserverItIsTheHostItself) {
  EXPECT_THAT(parse_resolv_conf(""), ElementsAre(Nameserver{ip("127.0.0.1"), ""}));
}

TEST(ResolvConf, AZoneIsAnInterface) {
  EXPECT_EQ(nameserver_address({ip("fe80::1"), "lo"})->v6.sin6_scope_id, 1u);
  EXPECT_FALSE(nameserver_address({ip("fe80::1"), "no-such-interface"}));
}

// ---- messages ----

void append_u16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

Bytes make_query(const std::string& name, std::uint16_t type, std::uint16_t klass = class_in) {
  Bytes bytes;
  for (const unsigned word : {0x1234u, 0x0100u, 1u, 0u, 0u, 0u}) append_u16(bytes, word);
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    bytes.push_back(static_cast<std::uint8_t>(end - begin));
    bytes.insert(bytes.end(), name.begin() + static_cast<std::ptrdiff_t>(begin),
                 name.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end + 1;
  }
  bytes.push_back(0);
  append_u16(bytes, type);
  append_u16(bytes, klass);
  return bytes;
}

// With an OPT record that allows datagrams of this size.
Bytes with_edns(Bytes query, std::uint16_t size) {
  query[11] = 1;
  query.push_back(0);
  append_u16(query, 41);
  append_u16(query, size);
  for (int i = 0; i < 3; ++i) append_u16(query, 0);
  return query;
}

unsigned answer_count(const Bytes& message) {
  return static_cast<unsigned>(message[6] << 8 | message[7]);
}

TEST(DnsMessage, AQueryIsTakenApart) {
  const Bytes bytes = make_query("DB.dns.Podman", type_aaaa);
  const auto parsed = parse_query(bytes);
  ASSERT_TRUE(parsed.query);
  EXPECT_EQ(parsed.query->name, "db.dns.podman");
  EXPECT_EQ(parsed.query->type, type_aaaa);
  EXPECT_EQ(parsed.query->question_end, bytes.size());
  EXPECT_EQ(parsed.query->longest_answer, 512);
  EXPECT_EQ(parse_query(with_edns(bytes, 1232)).query->longest_answer, 1232);
  EXPECT_EQ(parse_query(with_edns(bytes, 100)).query->longest_answer, 512);
}

TEST(DnsMessage, WhatIsNoQueryGetsNothingOrAnError) {
  Bytes response = make_query("db", type_a);
  response[2] |= 0x80;
  EXPECT_THAT(parse_query(response).rejection, IsEmpty());
  EXPECT_THAT(parse_query(Bytes(11, 0)).rejection, IsEmpty());
  Bytes update = make_query("db", type_a);
  update[2] |= 5 << 3;
  EXPECT_EQ(message_rcode(parse_query(update).rejection), Rcode::not_implemented);
  Bytes short_one = make_query("db", type_a);
  short_one.pop_back();
  const Bytes rejection = parse_query(short_one).rejection;
  EXPECT_EQ(message_rcode(rejection), Rcode::format_error);
  EXPECT_THAT(rejection, SizeIs(header_size));
  EXPECT_EQ(message_id(rejection), 0x1234);
  Bytes two = make_query("db", type_a);
  two[5] = 2;
  EXPECT_EQ(message_rcode(parse_query(two).rejection), Rcode::format_error);
  Bytes pointing = make_query("db", type_a);
  pointing[12] = 0xc0;  // a name that points to itself
  pointing[13] = 12;
  EXPECT_EQ(message_rcode(parse_query(pointing).rejection), Rcode::format_error);
}

TEST(DnsMessage, OnlyAddressesOfTheAskedTypeAreAnswered) {
  const std::vector<netns::IpAddress> addresses{ip("10.89.0.2"), ip("fd00::2"), ip("10.89.0.3")};
  EXPECT_EQ(answer_count(build_addresses(make_query("db", type_a), addresses)), 2u);
  EXPECT_EQ(answer_count(build_addresses(make_query("db", type_aaaa), addresses)), 1u);
  EXPECT_EQ(answer_count(build_addresses(make_query("db", type_any), addresses)), 3u);
  const Bytes none = build_addresses(make_query("db", 15), addresses);
  EXPECT_EQ(answer_count(none), 0u);
  EXPECT_EQ(message_rcode(none), Rcode::no_error);
}

TEST(DnsMessage, AnAnswerTooLongForADatagramIsCutAfterTheQuestion) {
  const Bytes query = make_query("db", type_a);
  const Query parsed = *parse_query(query).query;
  Bytes answer = build_addresses(query, std::vector<netns::IpAddress>(60, ip("10.89.0.2")));
  fit_into_datagram(answer, parsed);
  EXPECT_THAT(answer, SizeIs(query.size()));
  EXPECT_EQ(answer[2] & 0x02, 0x02);
  EXPECT_EQ(answer_count(answer), 0u);
  Bytes short_answer = build_addresses(query, std::vector<netns::IpAddress>(3, ip("10.89.0.2")));
  fit_into_datagram(short_answer, parsed);
  EXPECT_EQ(answer_count(short_answer), 3u);
}

TEST(DnsMessage, AServersAnswerHasTheQuerysIdAndQuestion) {
  const Bytes query = make_query("db.example", type_a);
  const Query parsed = *parse_query(query).query;
  Bytes answer = build_addresses(make_query("DB.Example", type_a), {});
  EXPECT_TRUE(answers(answer, query, parsed));
  EXPECT_FALSE(answers(query, query, parsed)) << "no response";
  EXPECT_FALSE(answers(build_addresses(make_query("dx.example", type_a), {}), query, parsed));
  EXPECT_FALSE(answers(build_addresses(make_query("db.example", type_aaaa), {}), query, parsed));
  set_message_id(answer, 0x1235);
  EXPECT_FALSE(answers(answer, query, parsed));
  EXPECT_FALSE(answers(Bytes(5, 0xff), query, parsed));
}

TEST(DnsMessage, ReverseNamesAreSubnets) {
  EXPECT_EQ(parse_reverse_name("2.0.89.10.in-addr.arpa"), netns::parse_subnet("10.89.0.2/32"));
  EXPECT_EQ(parse_reverse_name("89.10.in-addr.arpa"), netns::parse_subnet("10.89.0.0/16"));
  EXPECT_EQ(parse_reverse_name("in-addr.arpa"), netns::parse_subnet("0.0.0.0/0"));
  EXPECT_EQ(parse_reverse_name("0.0.d.f.ip6.arpa"), netns::parse_subnet("fd00::/16"));
  for (const char* none : {"xin-addr.arpa", "1.2.3.4.5.in-addr.arpa", "256.in-addr.arpa", "a.in-addr.arpa",
                           "..in-addr.arpa", "10.ip6.arpa", "arpa", ""})
    EXPECT_FALSE(parse_reverse_name(none)) << none;
}

// ---- answers ----

constexpr const char* container_id = "0123456789ab0000";

class Answers : public ::testing::Test {
 protected:
  Answers() {
    write("web/network", "bridge b\nsubnet 10.89.0.0/24\ndns yes\n");
    add("web", "db", container_id, "10.89.0.2");
  }

  void write(const std::string& path, const std::string& content) {
    sys::make_directories(AT_FDCWD, directory_.path() + "/" + path.substr(0, path.rfind('/')), 0700);
    sys::replace_file(AT_FDCWD, directory_.path() + "/" + path, content, 0600, sys::Durability::none);
  }
  void add(const std::string& network, const std::string& name, const std::string& container,
           const std::string& address) {
    const auto self = sys::identify(::getpid());
    const std::string owner = concat(self.pid, ' ', self.start_time);
    write(concat(network, "/names/", name, '/', container), concat(owner, '\n', address, '\n'));
    write(concat(network, "/leases/", address), concat(owner, ' ', container, '\n'));
  }
  std::optional<Bytes> ask(const std::string& name, std::uint16_t type, std::uint16_t klass = class_in) {
    const Bytes query = make_query(name, type, klass);
    return answer_query(query, *parse_query(query).query, {"web", ip("10.89.0.9")},
                        NameFiles(directory_.path()), 0);
  }

  test::TemporaryDirectory directory_;
};

TEST_F(Answers, NamesThatAreNoFileNamesAreNeverLookedFor) {
  write("web/secret", "x");
  for (const char* name : {"..", "../names/db", ".", "-db", "a/b", "db\x01"})
    EXPECT_FALSE(is_name(name)) << name;
  EXPECT_FALSE(ask("a/b", type_a));
}

TEST_F(Answers, AnotherClassIsRefused) {
  EXPECT_EQ(message_rcode(*ask("db", type_a, 3)), Rcode::refused);
}

TEST_F(Answers, DamagedFilesAreNotThere) {
  write("web/names/torn/c1", "12");
  write("web/names/torn/c2", "");
  write("web/names/torn/c3", std::string(10000, 'x'));
  sys::make_directories(AT_FDCWD, directory_.path() + "/web/names/torn/c4", 0700);
  EXPECT_FALSE(ask("torn", type_a));
  add("web", "torn", "c5", "10.89.0.7");
  EXPECT_EQ(answer_count(*ask("torn", type_a)), 1u);
}

TEST_F(Answers, TheDomainAloneIsOurs) {
  EXPECT_EQ(message_rcode(*ask("dns.podman", type_a)), Rcode::no_such_name);
  EXPECT_EQ(answer_count(*ask("db.dns.podman", type_a)), 1u);
  EXPECT_FALSE(ask("dbdns.podman", type_a)) << "somebody else's";
}

// ---- the way out ----

TEST(WayOut, PastaForwardsNothingAndMapsNothing) {
  const auto words = plan_way_out({WayOutKind::pasta, "/usr/bin/pasta"}, "/run/netns", {true, true});
  EXPECT_THAT(words, AllOf(Contains("--no-map-gw"), Contains("--no-dhcp"), Contains("10.0.2.100"),
                           Contains("fd6b:6e61:7272::100")));
  EXPECT_THAT(words, AllOf(Not(Contains("--ipv4-only")), Not(Contains("--ipv6-only"))));
  EXPECT_EQ(words.back(), "/run/netns");
}

TEST(WayOut, AFamilyWithoutARouteIsLeftOut) {
  const auto v4 = plan_way_out({WayOutKind::pasta, "pasta"}, "n", {true, false});
  EXPECT_THAT(v4, AllOf(Contains("--ipv4-only"), Not(Contains("fd6b:6e61:7272::100"))));
  const auto v6 = plan_way_out({WayOutKind::pasta, "pasta"}, "n", {false, true});
  EXPECT_THAT(v6, AllOf(Contains("--ipv6-only"), Not(Contains("10.0.2.100"))));
}

TEST(WayOut, Slirp4netnsKeepsTheHostsLoopbackToItself) {
  const auto words = plan_way_out({WayOutKind::slirp4netns, "slirp4netns"}, "n", {true, false});
  EXPECT_THAT(words, AllOf(Contains("--disable-host-loopback"), Not(Contains("--enable-ipv6"))));
  EXPECT_EQ(words.back(), way_out_interface);
}

}  // namespace
}  // namespace knarr::engine::netd
