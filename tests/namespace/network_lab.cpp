// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/network_lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/namespace/user_child.h"

namespace knarr::test {
namespace {

constexpr std::uint16_t port = 4567;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const netns::IpAddress& address) {
  SocketAddress made;
  if (address.family == netns::Family::v4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
    made.size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
    made.size = sizeof *v6;
  }
  return made;
}

std::string render(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN];
  const void* bytes =
      address.storage.ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr)
          : &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
  return ::inet_ntop(address.storage.ss_family, bytes, text, sizeof text);
}

bool wait_for(int fd, short events, int patience_ms) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, patience_ms) == 1;
}

sys::UniqueFd server_at(int netns_fd, SocketAddress& address, int type) {
  sys::UniqueFd server = netns::open_socket_in(netns_fd, address.storage.ss_family, type, 0);
  constexpr int on = 1;
  ::setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(server.get(), address.get(), address.size) == 0) return server;
  if (errno != EADDRNOTAVAIL) throw_errno("binding the server");
  return {};
}

// 0, or the errno of a connection attempt.
int connect_patiently(int client, SocketAddress& address, int patience_ms) {
  ::fcntl(client, F_SETFL, O_NONBLOCK);
  if (::connect(client, address.get(), address.size) == 0) return 0;
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
           const uid_t uid = ::getuid();
           const gid_t gid = ::getgid();
           if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) throw_errno("creating namespaces");
           const auto write_self = [](const char* name, const std::string& text) {
             sys::write_all(sys::open_at(AT_FDCWD, std::string("/proc/self/") + name, O_WRONLY).get(), text,
                            name);
           };
           write_self("setgroups", "deny");
           write_self("uid_map", concat("0 ", uid, " 1"));
           write_self("gid_map", concat("0 ", gid, " 1"));
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
  SocketAddress address = socket_address(ip(text));
  const sys::UniqueFd server = server_at(server_netns, address, SOCK_STREAM);
  if (!server) return "no such address";
  ::listen(server.get(), 1);
  const sys::UniqueFd client = netns::open_socket_in(client_netns, address.storage.ss_family, SOCK_STREAM, 0);
  if (const int error = connect_patiently(client.get(), address, patience_ms); error != 0)
    return errno_words(error);
  if (!wait_for(server.get(), POLLIN, patience_ms)) return "not accepted";
  SocketAddress peer;
  const sys::UniqueFd accepted{::accept4(server.get(), peer.get(), &peer.size, SOCK_CLOEXEC)};
  char bytes[8];
  if (::write(client.get(), "line\n", 5) != 5 || !wait_for(accepted.get(), POLLIN, patience_ms) ||
      ::read(accepted.get(), bytes, sizeof bytes) != 5)
    return "nothing came";
  return render(peer);
}

std::string udp_from(int client_netns, int server_netns, const char* text, int patience_ms) {
  SocketAddress address = socket_address(ip(text));
  const sys::UniqueFd server = server_at(server_netns, address, SOCK_DGRAM);
  if (!server) return "no such address";
  const sys::UniqueFd client = netns::open_socket_in(client_netns, address.storage.ss_family, SOCK_DGRAM, 0);
  if (::connect(client.get(), address.get(), address.size) < 0) return errno_words(errno);
  char bytes[8];
  if (::send(client.get(), "line\n", 5, 0) != 5) return errno_words(errno);
  if (!wait_for(server.get(), POLLIN, patience_ms)) return "no answer";
  SocketAddress peer;
  if (::recvfrom(server.get(), bytes, sizeof bytes, 0, peer.get(), &peer.size) != 5)
    return errno_words(errno);
  if (::sendto(server.get(), "back\n", 5, 0, peer.get(), peer.size) != 5) return errno_words(errno);
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

void write_sysctl_in(int netns_fd, const std::string& name, std::string_view value) {
  netns::in_network_namespace(netns_fd, [&] {
    if (!netns::write_net_sysctl(name, value)) throw NotFound(name);
  });
}

}  // namespace knarr::test
