// SPDX-License-Identifier: Apache-2.0
// An engine's network namespace and containers' for tests, in a user namespace of the test's own, and small
// exchanges between sockets in them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "netns/bridge.h"
#include "netns/engine_netns.h"
#include "netns/enter.h"
#include "netns/link.h"

namespace knarr::test {

// The answer of a child that is an ordinary user's root in a new user and network namespace: "" or what it
// said.
std::string in_new_network(const std::function<std::string()>& body);

netns::IpAddress ip(const char* text);
netns::InterfaceAddress interface_address(const char* text);  // "10.88.0.1/16"

// A network with the addresses in its own storage.
struct TestNetwork {
  explicit TestNetwork(const char* name, std::vector<const char*> addresses);
  netns::Bridge bridge;
  std::vector<netns::InterfaceAddress> addresses;
};

// A container's namespace and one link in it.
struct TestContainer {
  TestContainer();
  // Puts it on the network as `name` with these addresses and default routes by the network's.
  netns::Link& join(const TestNetwork& network, const char* name, std::vector<const char*> addresses);

  sys::UniqueFd netns_fd;
  netns::Namespace inside;
  netns::Link link;
  std::vector<netns::InterfaceAddress> addresses;
  std::vector<netns::Route> routes;
};

struct Lab {
  Lab();
  void set_up(const TestNetwork& network);
  void connect(TestContainer& container) { netns::apply_link(engine, container.inside, container.link); }

  sys::UniqueFd engine_fd;
  netns::Namespace engine;
};

// What a server at `address` in one namespace sees when a client in another one sends it a line by TCP: the
// client's address, or the errno's words that the client got ("connection timed out" after that long).
std::string tcp_from(int client_netns, int server_netns, const char* address, int patience_ms = 500);
// The same by UDP, and back; "no answer" after that long.
std::string udp_from(int client_netns, int server_netns, const char* address, int patience_ms = 500);

// What a program prints when it runs in the namespace.
std::string run_in(int netns_fd, const std::vector<std::string>& argv);
void write_sysctl_in(int netns_fd, const std::string& name, std::string_view value);
// "link set eth0 up" for run_in.
std::vector<std::string> ip_command(std::string_view text);

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
  netns::LinkInfo inside(TestContainer& container) {
    return netns::find_link(container.inside.route, "eth0").value();
  }
  netns::LinkInfo outside(TestContainer& container) {
    return netns::find_link(lab.engine.route, inside(container).peer).value();
  }
};

}  // namespace knarr::test
