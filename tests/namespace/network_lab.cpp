// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/network_lab.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/namespace/net_place.h"
#include "tests/namespace/user_child.h"

namespace knarr::test {
namespace {

using netns::forward::SocketAddress;

constexpr std::uint16_t port = 4567;

SocketAddress server_address(const char* text) {
  return netns::forward::to_socket_address({ip(text), port});
}

std::string render(const SocketAddress& address) {
  return netns::render_ip(netns::forward::to_peer(address).address);
}

bool wait_for(int fd, short events, int patience_ms) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, patience_ms) == 1;
}

sys::UniqueFd server_at(int netns_fd, const SocketAddress& address, int type) {
  sys::UniqueFd server = netns::open_socket_in(netns_fd, address.any.sa_family, type, 0);
  constexpr int on = 1;
  ::setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(server.get(), &address.any, address.size()) == 0) return server;
  if (errno != EADDRNOTAVAIL) throw_errno("binding the server");
  return {};
}

// 0, or the errno of a connection attempt.
int connect_patiently(int client, const SocketAddress& address, int patience_ms) {
  ::fcntl(client, F_SETFL, O_NONBLOCK);
  if (::connect(client, &address.any, address.size()) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(client, POLLOUT, patience_ms)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

std::string in_new_network(const std::function<std::string()>& body) {
  const auto user = find_test_user();
  return Child([&] {
           if (user) become(*user);
           enter_new_host();
           return body();
         })
      .answer();
}

netns::IpAddress ip(const char* text) {
  return netns::parse_ip(text).value();
}

netns::InterfaceAddress interface_address(const char* text) {
  const netns::Subnet parsed = netns::parse_subnet(text).value();
  return {parsed.address, parsed.prefix};
}

TestNetwork::TestNetwork(const char* name, std::vector<const char*> texts) {
  std::strncpy(bridge.name, name, sizeof bridge.name - 1);
  for (const char* text : texts) addresses.push_back(interface_address(text));
  bridge.addresses = addresses.data();
  bridge.address_count = static_cast<int>(addresses.size());
}

TestContainer::TestContainer()
    : netns_fd(netns::make_network_namespace()), inside(netns::open_container_namespace(netns_fd.get())) {}

netns::Link& TestContainer::join(const TestNetwork& network, const char* name,
                                 std::vector<const char*> texts) {
  link.bridge = &network.bridge;
  std::strncpy(link.name, name, sizeof link.name - 1);
  addresses.clear();
  routes.clear();
  for (const char* text : texts) addresses.push_back(interface_address(text));
  for (const netns::InterfaceAddress& gateway : network.addresses) {
    const bool usable = std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
      return address.address.family == gateway.address.family;
    });
    if (!usable) continue;
    netns::IpAddress any{.family = gateway.address.family};
    routes.push_back({{any, 0}, gateway.address, 100});
  }
  const auto& last = addresses.front().address.bytes;
  link.mac = {0x02, 0x42, last[0], last[1], last[2], last[3]};
  link.addresses = addresses.data();
  link.address_count = static_cast<int>(addresses.size());
  link.routes = routes.data();
  link.route_count = static_cast<int>(routes.size());
  return link;
}

Lab::Lab()
    : engine_fd(netns::make_network_namespace()),
      engine(netns::open_namespace(engine_fd.get(), netns::Filtering::yes)) {
  netns::apply_engine_netns(engine, "tap0", {});
}

void Lab::set_up(const TestNetwork& network) {
  netns::apply_bridge(engine, network.bridge);
  netns::apply_bridge_rules(engine.filter, network.bridge);
}

std::string tcp_from(int client_netns, int server_netns, const char* text, int patience_ms) {
  const SocketAddress address = server_address(text);
  const sys::UniqueFd server = server_at(server_netns, address, SOCK_STREAM);
  if (!server) return "no such address";
  ::listen(server.get(), 1);
  const sys::UniqueFd client = netns::open_socket_in(client_netns, address.any.sa_family, SOCK_STREAM, 0);
  if (const int error = connect_patiently(client.get(), address, patience_ms); error != 0)
    return errno_words(error);
  if (!wait_for(server.get(), POLLIN, patience_ms)) return "not accepted";
  SocketAddress peer;
  socklen_t size = sizeof peer;
  const sys::UniqueFd accepted{::accept4(server.get(), &peer.any, &size, SOCK_CLOEXEC)};
  char bytes[8];
  if (::write(client.get(), "line\n", 5) != 5 || !wait_for(accepted.get(), POLLIN, patience_ms) ||
      ::read(accepted.get(), bytes, sizeof bytes) != 5)
    return "nothing came";
  return render(peer);
}

std::string udp_from(int client_netns, int server_netns, const char* text, int patience_ms) {
  const SocketAddress address = server_address(text);
  const sys::UniqueFd server = server_at(server_netns, address, SOCK_DGRAM);
  if (!server) return "no such address";
  const sys::UniqueFd client = netns::open_socket_in(client_netns, address.any.sa_family, SOCK_DGRAM, 0);
  if (::connect(client.get(), &address.any, address.size()) < 0) return errno_words(errno);
  char bytes[8];
  if (::send(client.get(), "line\n", 5, 0) != 5) return errno_words(errno);
  if (!wait_for(server.get(), POLLIN, patience_ms)) return "no answer";
  SocketAddress peer;
  socklen_t size = sizeof peer;
  if (::recvfrom(server.get(), bytes, sizeof bytes, 0, &peer.any, &size) != 5) return errno_words(errno);
  if (::sendto(server.get(), "back\n", 5, 0, &peer.any, size) != 5) return errno_words(errno);
  if (!wait_for(client.get(), POLLIN, patience_ms) || ::recv(client.get(), bytes, sizeof bytes, 0) != 5)
    return "no answer";
  return render(peer);
}

std::string run_in(int netns_fd, const std::vector<std::string>& argv) {
  std::string output;
  netns::in_network_namespace(netns_fd, [&] {
    const sys::FilterResult result = sys::run_filter(argv, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, "");
    output = result.output + result.errors;
  });
  return output;
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

void write_sysctl_in(int netns_fd, const std::string& name, std::string_view value) {
  netns::in_network_namespace(netns_fd, [&] {
    if (!netns::write_net_sysctl(name, value)) throw NotFound(name);
  });
}

}  // namespace knarr::test
