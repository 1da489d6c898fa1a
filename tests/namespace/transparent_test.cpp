// SPDX-License-Identifier: Apache-2.0
#include "netns/transparent.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "tests/namespace/network_lab.h"

namespace knarr::netns {
namespace {

using test::in_new_network;
using test::TwoContainers;

using forward::SocketAddress;

SocketAddress socket_address(const char* text, std::uint16_t port) {
  return forward::to_socket_address({test::ip(text), port});
}

// A socket in the namespace that speaks as 198.51.100.7.
sys::UniqueFd foreign_socket(int netns_fd, int type, std::uint32_t mark) {
  sys::UniqueFd socket = open_socket_in(netns_fd, AF_INET, type, 0);
  constexpr int on = 1;
  const SocketAddress foreign = socket_address("198.51.100.7", 7000);
  if (::setsockopt(socket.get(), IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0)
    throw_errno("IP_TRANSPARENT");
  if (mark != 0 && ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
    throw_errno("SO_MARK");
  if (::bind(socket.get(), &foreign.any, foreign.size()) < 0) throw_errno("binding");
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
              const SocketAddress target = socket_address("10.88.0.2", 80);
              const sys::UniqueFd server = open_socket_in(netns_fd, AF_INET, SOCK_STREAM, 0);
              if (::bind(server.get(), &target.any, target.size()) < 0 || ::listen(server.get(), 1) < 0)
                return errno_words(errno);
              const sys::UniqueFd client = foreign_socket(netns_fd, SOCK_STREAM, transparent_mark);
              if (::connect(client.get(), &target.any, target.size()) < 0) return errno_words(errno);
              SocketAddress peer;
              socklen_t size = sizeof peer;
              const sys::UniqueFd accepted{::accept4(server.get(), &peer.any, &size, SOCK_CLOEXEC)};
              char bytes[8] = {};
              if (::write(accepted.get(), "hello", 5) != 5 || ::read(client.get(), bytes, sizeof bytes) != 5)
                return "no answer";
              return render_ip(forward::to_peer(peer).address);
            }),
            "198.51.100.7");
}

TEST(TransparentReplies, ComeBackToAFlowOfUdpInTheEnginesNamespace) {
  EXPECT_EQ(in_new_network([]() -> std::string {
              TwoContainers lab;
              const SocketAddress target = socket_address("10.88.0.2", 53);
              const sys::UniqueFd server = open_socket_in(lab.one.netns_fd.get(), AF_INET, SOCK_DGRAM, 0);
              if (::bind(server.get(), &target.any, target.size()) < 0) return errno_words(errno);
              const sys::UniqueFd flow = foreign_socket(lab.lab.engine_fd.get(), SOCK_DGRAM, 0);
              if (::connect(flow.get(), &target.any, target.size()) < 0) return errno_words(errno);
              if (::send(flow.get(), "query", 5, 0) != 5) return errno_words(errno);
              SocketAddress peer;
              socklen_t size = sizeof peer;
              char bytes[8];
              if (::recvfrom(server.get(), bytes, sizeof bytes, 0, &peer.any, &size) != 5) return "no query";
              if (::sendto(server.get(), "reply", 5, 0, &peer.any, size) != 5) return errno_words(errno);
              if (::recv(flow.get(), bytes, sizeof bytes, 0) != 5) return "no reply";
              return render_ip(forward::to_peer(peer).address);
            }),
            "198.51.100.7");
}

}  // namespace
}  // namespace knarr::netns
