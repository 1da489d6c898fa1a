// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "netns/forward/bind.h"
#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "tests/namespace/net_place.h"
#include "tests/namespace/user_child.h"

namespace knarr::netns::forward {
namespace {

using namespace knarr::test;

std::string on_new_host(const std::function<std::string()>& body) {
  return Child([&] {
           enter_new_host();
           return body();
         })
      .answer();
}

std::string render(const std::vector<BoundPort>& bound) {
  std::string text;
  for (const BoundPort& each : bound) {
    const Peer end = local_end(each.socket.get());
    text += concat(render_ip(end.address), ' ', end.port == each.port ? std::to_string(end.port) : "differs",
                   "; ");
  }
  return text;
}

TEST(BindPorts, OnAllAddressesOfBothFamilies) {
  EXPECT_EQ(on_new_host([] { return render(bind_ports({.first = 8080, .count = 2})); }),
            "0.0.0.0 8080; :: 8080; 0.0.0.0 8081; :: 8081; ");
}

TEST(BindPorts, OnOneAddress) {
  EXPECT_EQ(on_new_host([] { return render(bind_ports({.address = parse_ip("127.0.0.1"), .first = 8080})); }),
            "127.0.0.1 8080; ");
  EXPECT_EQ(
      on_new_host([] {
        return render(bind_ports({.address = parse_ip("::1"), .first = 53, .transport = Transport::udp}));
      }),
      "::1 53; ");
}

TEST(BindPorts, AFreePortIsTheSameInBothFamilies) {
  EXPECT_EQ(on_new_host([] {
              const auto bound = bind_ports({});
              return concat(bound.size(), ' ', bound[0].port == bound[1].port && bound[0].port != 0);
            }),
            "2 1");
}

TEST(BindPorts, FreePortsOfARangeFollowEachOther) {
  EXPECT_EQ(on_new_host([] {
              const auto bound =
                  bind_ports({.address = parse_ip("127.0.0.1"), .count = 20, .transport = Transport::udp});
              int steps = 0;
              for (std::size_t i = 1; i < bound.size(); ++i) steps += bound[i].port == bound[i - 1].port + 1;
              return std::to_string(steps);
            }),
            "19");
}

TEST(BindPorts, AConflictNamesPortAndProtocol) {
  EXPECT_EQ(on_new_host([] {
              const auto first = bind_ports({.first = 8082});
              return render(bind_ports({.first = 8080, .count = 5}));
            }),
            "threw: publishing port 8082/tcp on all addresses: address already in use\nhint: ");
  EXPECT_EQ(on_new_host([] {
              const auto first = bind_ports({.first = 53, .transport = Transport::udp});
              return render(
                  bind_ports({.address = parse_ip("127.0.0.1"), .first = 53, .transport = Transport::udp}));
            }),
            "threw: publishing port 53/udp on 127.0.0.1: address already in use\nhint: ");
}

TEST(BindPorts, AfterAConflictNothingStaysBound) {
  EXPECT_EQ(on_new_host([] {
              const auto taken = bind_ports({.address = parse_ip("::1"), .first = 8081});
              try {
                bind_ports({.first = 8080, .count = 2});
              } catch (const SysError&) {
              }
              return render(bind_ports({.first = 8080}));
            }),
            "0.0.0.0 8080; :: 8080; ");
}

TEST(BindPorts, APrivilegedPortIsRefusedWithAHint) {
  EXPECT_EQ(on_new_host([] {
              // A namespace of somebody else's: no capability over it.
              const std::string first = "echo 1000 >/proc/sys/net/ipv4/ip_unprivileged_port_start";
              run_in(own_netns().get(), first);
              return Child([] {
                       enter_user_namespace();
                       return render(bind_ports({.first = 80}));
                     })
                  .answer();
            }),
            "threw: publishing port 80/tcp on all addresses: permission denied\n"
            "hint: root can let users have this port: sysctl net.ipv4.ip_unprivileged_port_start=80");
}

TEST(BindPorts, AnAddressOfAnotherHostIsRefused) {
  EXPECT_EQ(on_new_host([] { return render(bind_ports({.address = parse_ip("192.0.2.9"), .first = 8080})); }),
            "threw: publishing port 8080/tcp on 192.0.2.9: cannot assign requested address\n"
            "hint: publish on an address that this host has, or on all of them");
}

TEST(BindPorts, ARangeMayNeedMoreDescriptorsThanTheSoftLimit) {
  EXPECT_EQ(on_new_host([] {
              rlimit limit;
              ::getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 64;
              ::setrlimit(RLIMIT_NOFILE, &limit);
              const auto bound = bind_ports({.first = 3000, .count = 100});
              ::getrlimit(RLIMIT_NOFILE, &limit);
              return concat(bound.size(), ' ', limit.rlim_cur);
            }),
            "200 64");
}

TEST(BindPorts, APortWithOldConnectionsCanBeTakenAgain) {
  EXPECT_EQ(on_new_host([] {
              auto bound = bind_ports({.first = 8080});
              const int self = own_netns().release();
              const sys::UniqueFd client = connect_in(self, "127.0.0.1", 8080, SOCK_STREAM);
              { const sys::UniqueFd closed_first = accept_from(bound[0].socket.get()); }
              bound.clear();
              return render(bind_ports({.first = 8080}));
            }),
            "0.0.0.0 8080; :: 8080; ");
}

}  // namespace
}  // namespace knarr::netns::forward
