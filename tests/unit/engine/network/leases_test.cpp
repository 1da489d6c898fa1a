// SPDX-License-Identifier: Apache-2.0
#include "engine/network/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/network/names.h"
#include "engine/network/network_store.h"
#include "engine/network/reservations.h"
#include "rootless/sys/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A process that can be killed: what a monitor is to a lease.
class Monitor {
 public:
  explicit Monitor(std::string container) : container_(std::move(container)) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
    id_ = sys::identify(pid_);
  }
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  LeaseOwner owner() const { return {.monitor = id_, .container = container_}; }

 private:
  std::string container_;
  pid_t pid_ = -1;
  sys::ProcessId id_;
};

Network network_of(const std::string& subnet, const std::string& gateway) {
  Network network;
  network.name = "web";
  network.subnets = {
      {.subnet = *netns::parse_subnet(subnet), .gateway = netns::parse_ip(gateway), .range = {}}};
  return network;
}

class Leases : public ::testing::Test {
 protected:
  std::string take(const Network& network, const LeaseOwner& owner, const LeaseRequest& request = {}) {
    std::string all;
    for (const netns::Subnet& address : take_leases(run_root(), network, request, owner))
      all += (all.empty() ? "" : " ") + netns::render_subnet(address);
    return all;
  }
  std::string run_root() const { return directory_.path(); }

  test::TemporaryDirectory directory_;
  Monitor monitor_{"aaa"};
  LeaseOwner owner_ = monitor_.owner();
  Network small_ = network_of("10.9.0.0/29", "10.9.0.1");
};

TEST_F(Leases, AreGivenInTurnsWithoutGatewayAndBroadcast) {
  for (const char* expected : {"10.9.0.2/29", "10.9.0.3/29", "10.9.0.4/29", "10.9.0.5/29", "10.9.0.6/29"}) {
    EXPECT_EQ(take(small_, owner_), expected);
  }
  EXPECT_THAT(error_text<Error>([&] { take(small_, owner_); }),
              HasSubstr("network web has no free address left in 10.9.0.1 to 10.9.0.7"));
}

TEST_F(Leases, AFreedAddressIsTheLastToBeGivenAgain) {
  take(small_, owner_);
  release_leases(run_root(), "web", {*netns::parse_subnet("10.9.0.2/29")}, "aaa");
  EXPECT_EQ(take(small_, owner_), "10.9.0.3/29");
  for (int i = 0; i < 3; ++i) take(small_, owner_);
  EXPECT_EQ(take(small_, owner_), "10.9.0.2/29");
}

TEST_F(Leases, OfADeadOwnerAreFree) {
  Monitor other("bbb");
  for (int i = 0; i < 5; ++i) take(small_, other.owner());
  EXPECT_THROW(take(small_, owner_), Error);
  other.kill();
  EXPECT_FALSE(find_lease(run_root(), "web", *netns::parse_ip("10.9.0.4")));
  EXPECT_EQ(take(small_, owner_), "10.9.0.2/29");
  EXPECT_EQ(take(small_, owner_, {.wished = {*netns::parse_ip("10.9.0.6")}}), "10.9.0.6/29");
}

TEST_F(Leases, AWishThatAnotherHasNamesIt) {
  Monitor other("bbb");
  const LeaseRequest request{.wished = {*netns::parse_ip("10.9.0.4")},
                             .reserved = {},
                             .name_of = [](const std::string& id) { return "name-of-" + id; }};
  EXPECT_EQ(take(small_, other.owner(), request), "10.9.0.4/29");
  EXPECT_EQ(error_text<Conflict>([&] { take(small_, owner_, request); }),
            "IP address 10.9.0.4 of network web is in use by container name-of-bbb");
  EXPECT_EQ(find_lease(run_root(), "web", request.wished[0]), other.owner());
}

TEST_F(Leases, ReservedAddressesAreGivenToWhoWishesForThemOnly) {
  const LeaseRequest request{
      .wished = {}, .reserved = {*netns::parse_ip("10.9.0.2"), *netns::parse_ip("10.9.0.3")}, .name_of = {}};
  EXPECT_EQ(take(small_, owner_, request), "10.9.0.4/29");
  LeaseRequest wish = request;
  wish.wished = {*netns::parse_ip("10.9.0.2")};
  EXPECT_EQ(take(small_, owner_, wish), "10.9.0.2/29");
}

TEST_F(Leases, StayInTheRangeUnlessWishedFor) {
  Network network = network_of("10.9.0.0/24", "10.9.0.1");
  network.subnets[0].range = {.start = netns::parse_ip("10.9.0.254"), .end = netns::parse_ip("10.9.0.255")};
  EXPECT_EQ(take(network, owner_), "10.9.0.254/24");
  EXPECT_THROW(take(network, owner_), Error);
  EXPECT_EQ(take(network, owner_, {.wished = {*netns::parse_ip("10.9.0.7")}}), "10.9.0.7/24");
}

TEST_F(Leases, EachSubnetGivesOne) {
  Network network = network_of("10.9.0.0/24", "10.9.0.1");
  network.subnets.push_back(network_of("fd00:9::/64", "fd00:9::1").subnets[0]);
  EXPECT_EQ(take(network, owner_), "10.9.0.2/24 fd00:9::2/64");
  EXPECT_EQ(take(network, owner_, {.wished = {*netns::parse_ip("fd00:9::ff")}}), "10.9.0.3/24 fd00:9::ff/64");
}

TEST_F(Leases, AFailureTakesNothing) {
  Network network = network_of("10.9.0.0/24", "10.9.0.1");
  network.subnets.push_back(small_.subnets[0]);
  network.subnets[1].subnet = *netns::parse_subnet("10.8.0.0/30");
  network.subnets[1].gateway = netns::parse_ip("10.8.0.1");
  EXPECT_EQ(take(network, owner_), "10.9.0.2/24 10.8.0.2/30");
  EXPECT_THROW(take(network, owner_), Error);
  EXPECT_FALSE(find_lease(run_root(), "web", *netns::parse_ip("10.9.0.3")));
}

TEST_F(Leases, AreReleasedByTheirContainerOnly) {
  take(small_, owner_);
  const std::vector<netns::Subnet> address = {*netns::parse_subnet("10.9.0.2/29")};
  release_leases(run_root(), "web", address, "bbb");
  EXPECT_TRUE(find_lease(run_root(), "web", address[0].address));
  release_leases(run_root(), "web", address, "aaa");
  release_leases(run_root(), "web", address, "aaa");
  EXPECT_FALSE(find_lease(run_root(), "web", address[0].address));
}

TEST_F(Leases, ALargeSubnetIsNotWalked) {
  const Network network = network_of("fd00:9::/64", "fd00:9::1");
  EXPECT_EQ(take(network, owner_, {.wished = {*netns::parse_ip("fd00:9::ffff:ffff:ffff:ffff")}}),
            "fd00:9::ffff:ffff:ffff:ffff/64");
  EXPECT_EQ(take(network, owner_), "fd00:9::2/64");
}

TEST_F(Leases, OfManyAtOnceAreAllDifferent) {
  constexpr int takers = 8, each = 25;
  const Network network = network_of("10.9.0.0/24", "10.9.0.1");
  std::vector<std::vector<std::string>> taken(takers);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < takers; ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < each; ++n) taken[i].push_back(take(network, owner_));
      });
    }
  }
  std::set<std::string> all;
  for (const auto& some : taken) all.insert(some.begin(), some.end());
  EXPECT_THAT(all, SizeIs(takers * each));
}

TEST_F(Leases, ATornFileIsNobodys) {
  take(small_, owner_);
  sys::replace_file(AT_FDCWD, run_root() + "/net/networks/web/leases/10.9.0.2", "12", 0600,
                    sys::Durability::none);
  EXPECT_FALSE(find_lease(run_root(), "web", *netns::parse_ip("10.9.0.2")));
  EXPECT_EQ(take(small_, owner_, {.wished = {*netns::parse_ip("10.9.0.2")}}), "10.9.0.2/29");
}

TEST_F(Leases, ReleaseAllGivesBackWhatTheRunRecordNames) {
  take(small_, owner_);
  publish_names(run_root(), "web", {"Db"}, "aaa",
                {.monitor = owner_.monitor, .addresses = {*netns::parse_ip("10.9.0.2")}});
  AttachedNetwork attached;
  attached.network = "web";
  attached.addresses = {*netns::parse_subnet("10.9.0.2/29")};
  attached.names = {"Db"};
  release_all(run_root(), {.networks = {attached}, .ports = {}, .dns_servers = {}}, "aaa");
  EXPECT_FALSE(find_lease(run_root(), "web", *netns::parse_ip("10.9.0.2")));
  EXPECT_THAT(lookup_name(run_root(), "web", "db"), IsEmpty());
}

TEST(ParseLease, RefusesWhatIsNone) {
  for (const char* text : {"", "1 2", "1 2 c", "x 2 c\n", "1 x c\n", "1 2 \n", "-1 2 c\n"})
    EXPECT_FALSE(parse_lease(text)) << text;
  EXPECT_EQ(parse_lease("1 2 c\n"), (LeaseOwner{.monitor = {.pid = 1, .start_time = 2}, .container = "c"}));
}

TEST(Reservations, OutliveTheirContainersRunsButNotTheContainer) {
  const test::TemporaryDirectory store;
  ContainerConfig config;
  config.id = "aaa";
  config.networks = {
      {.network = "web", .addresses = {*netns::parse_ip("10.9.0.5"), *netns::parse_ip("fd00::5")}}};
  reserve_addresses(store.path(), config);
  const auto exists = [](const std::string&) { return true; };
  EXPECT_THAT(reserved_addresses(store.path(), "web", "bbb", exists), SizeIs(2));
  EXPECT_THAT(reserved_addresses(store.path(), "web", "aaa", exists), IsEmpty());
  EXPECT_THAT(reserved_addresses(store.path(), "db", "bbb", exists), IsEmpty());
  EXPECT_THAT(reserved_addresses(store.path(), "web", "bbb", [](const std::string&) { return false; }),
              IsEmpty());
  EXPECT_THAT(reserved_addresses(store.path(), "web", "bbb", exists), IsEmpty());
  reserve_addresses(store.path(), config);
  forget_reservations(store.path(), config);
  EXPECT_THAT(reserved_addresses(store.path(), "web", "bbb", exists), IsEmpty());
}

}  // namespace
}  // namespace knarr::engine
