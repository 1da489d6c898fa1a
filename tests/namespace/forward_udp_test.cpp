// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <vector>

#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "tests/namespace/forward_place.h"
#include "tests/namespace/user_child.h"

namespace knarr::netns::forward {
namespace {

using namespace knarr::test;
using ::testing::StartsWith;

constexpr std::uint16_t server_port = 53;

using Body = std::function<std::string(ForwardPlace& place, Forwarder& forwarder)>;
std::string with_forwarder(const Body& body, const Target& target = ForwardPlace::target()) {
  return Child([&] {
           enter_new_host();
           ForwardPlace place;
           Forwarder forwarder(place.container.get(), place.engine.get(), target);
           return body(place, forwarder);
         })
      .answer();
}

struct Received {
  std::string text;
  SocketAddress sender;
  std::string from() const {
    const Peer peer = to_peer(sender);
    return concat(render_ip(peer.address), ':', peer.port);
  }
};

Received receive_from(int socket_fd) {
  Received received;
  char bytes[65536];
  socklen_t size = sizeof received.sender;
  const ssize_t got = ::recvfrom(socket_fd, bytes, sizeof bytes, 0, &received.sender.any, &size);
  if (got < 0) throw_errno("receiving");
  received.text.assign(bytes, static_cast<std::size_t>(got));
  return received;
}

void answer_to(int socket_fd, const Received& received, const std::string& text) {
  if (::sendto(socket_fd, text.data(), text.size(), 0, &received.sender.any, received.sender.size()) < 0) {
    throw_errno("answering");
  }
}

// Question and answer; who the server saw.
std::string ask(int client_fd, int server_fd) {
  send_text(client_fd, "ask");
  const Received asked = receive_from(server_fd);
  answer_to(server_fd, asked, "answer to " + asked.text);
  return concat(receive_some(client_fd), ' ', asked.from() == local_of(client_fd) ? "client" : asked.from());
}

std::string client_seen(const char* listen_at, bool behind_wire, const char* connect_to,
                        const Target& target = ForwardPlace::target()) {
  return with_forwarder(
      [&](ForwardPlace& place, Forwarder& forwarder) {
        const sys::UniqueFd server = listen_in(place.container.get(), listen_at, server_port, SOCK_DGRAM);
        const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
        const int from = behind_wire ? place.client.get() : place.host.get();
        // Connected: answers from another of the host's addresses would not be heard.
        const sys::UniqueFd client = connect_in(from, connect_to, port, SOCK_DGRAM);
        return ask(client.get(), server.get());
      },
      target);
}

TEST(ForwardUdp, TheServerSeesTheClient) {
  EXPECT_EQ(client_seen("0.0.0.0", true, host_v4), "answer to ask client");
  EXPECT_EQ(client_seen("::", true, host_v6), "answer to ask client");
}

TEST(ForwardUdp, AClientOnTheLoopbackIsSeenAsTheGateway) {
  EXPECT_THAT(client_seen("0.0.0.0", false, "127.0.0.1"), StartsWith("answer to ask 10.88.0.1:"));
  EXPECT_THAT(client_seen("::", false, "::1"), StartsWith("answer to ask fd00::1:"));
}

TEST(ForwardUdp, AClientOfTheOtherFamilyIsSeenAsTheGateway) {
  EXPECT_THAT(client_seen("0.0.0.0", true, host_v6, ForwardPlace::target(true, false)),
              StartsWith("answer to ask 10.88.0.1:"));
}

TEST(ForwardUdp, WithoutAWayBackEverybodyIsSeenAsTheGateway) {
  Target target = ForwardPlace::target();
  target.keep_udp_client = false;
  EXPECT_THAT(client_seen("0.0.0.0", true, host_v4, target), StartsWith("answer to ask 10.88.0.1:"));
}

TEST(ForwardUdp, AnswersComeFromTheAddressThatWasAsked) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    run_in(place.host.get(), "ip addr add 192.0.2.77/24 dev wire");
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), "192.0.2.77", port, SOCK_DGRAM);
    return ask(client.get(), server.get());
  });
  EXPECT_EQ(answer, "answer to ask client");
}

TEST(ForwardUdp, WithoutANetworkTheLoopbackIsReached) {
  const IpAddress loopback = *parse_ip("127.0.0.1");
  const std::string answer =
      Child([&] {
        enter_new_host();
        ForwardPlace place;
        Forwarder forwarder(place.container.get(), -1, {.v4 = Endpoint{loopback, loopback}});
        const sys::UniqueFd server = listen_in(place.container.get(), "127.0.0.1", server_port, SOCK_DGRAM);
        const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
        const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
        return ask(client.get(), server.get());
      }).answer();
  EXPECT_THAT(answer, StartsWith("answer to ask 127.0.0.1:"));
}

TEST(ForwardUdp, ClientsAreKeptApart) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    std::vector<sys::UniqueFd> clients;
    std::vector<Received> asked;
    for (int i = 0; i < 100; ++i) {
      clients.push_back(connect_in(place.client.get(), host_v4, port, SOCK_DGRAM));
      send_text(clients.back().get(), local_of(clients.back().get()));
      asked.push_back(receive_from(server.get()));
    }
    for (const Received& each : asked) answer_to(server.get(), each, "to " + each.text);
    int right = 0;
    for (const sys::UniqueFd& client : clients)
      right += receive_some(client.get()) == "to " + local_of(client.get());
    return std::to_string(right);
  });
  EXPECT_EQ(answer, "100");
}

TEST(ForwardUdp, OnePortOfAClientTowardsTwoPortsIsTwoFlows) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const sys::UniqueFd client = listen_in(place.client.get(), client_v4, 4000, SOCK_DGRAM);
    std::string seen;
    for (int i = 0; i < 2; ++i) {
      const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
      const SocketAddress to = to_socket_address({*parse_ip(host_v4), port});
      ::sendto(client.get(), "ask", 3, 0, &to.any, to.size());
      const Received asked = receive_from(server.get());
      answer_to(server.get(), asked, "answer");
      const Received answered = receive_from(client.get());
      seen += asked.from() == "192.0.2.2:4000" ? "own port, " : asked.from().substr(0, 9) + ", ";
      seen += to_peer(answered.sender).port == port ? "right; " : "mixed up; ";
    }
    return seen;
  });
  EXPECT_EQ(answer, "own port, right; 192.0.2.2, right; ");
}

TEST(ForwardUdp, DatagramsOfAllSizesKeepTheirBounds) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
    std::string wrong;
    for (const std::size_t size : {0, 1, 1472, 1473, 9000, 60000, 65507}) {
      const std::string sent(size, 'x');
      ::send(client.get(), sent.data(), sent.size(), 0);
      const Received asked = receive_from(server.get());
      answer_to(server.get(), asked, sent);
      if (asked.text != sent || receive_some(client.get()) != sent) wrong += concat(size, ' ');
    }
    return wrong;
  });
  EXPECT_EQ(answer, "");
}

// A sender may hand the kernel many at once, and the forwarder does.
TEST(ForwardUdp, TrainsOfDatagramsArriveAsDatagrams) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
    const int segment = 1000;
    ::setsockopt(client.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    std::string train;
    for (char c = 'a'; c < 'k'; ++c) train.append(segment, c);
    train += "short";
    send_text(client.get(), train);
    std::string seen;
    for (int i = 0; i < 11; ++i) {
      const Received asked = receive_from(server.get());
      answer_to(server.get(), asked, asked.text);
      seen += concat(asked.text[0], asked.text.size(), ' ');
    }
    std::string heard;
    for (int i = 0; i < 11; ++i) {
      const std::string text = receive_some(client.get());
      heard += concat(text[0], text.size(), ' ');
    }
    return seen == heard ? seen : seen + "but heard " + heard;
  });
  EXPECT_EQ(answer, "a1000 b1000 c1000 d1000 e1000 f1000 g1000 h1000 i1000 j1000 s5 ");
}

TEST(ForwardUdp, AServerThatComesLaterIsFound) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
    for (int i = 0; i < 3; ++i) send_text(client.get(), "nobody hears this");
    forwarder.retarget(ForwardPlace::target());  // returns when all before is done
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    return ask(client.get(), server.get());
  });
  EXPECT_EQ(answer, "answer to ask client");
}

TEST(ForwardUdp, AFlowMovesToTheNewAddress) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd first = listen_in(place.container.get(), container_v4, server_port, SOCK_DGRAM);
    const sys::UniqueFd second = listen_in(place.container.get(), second_v4, server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
    const std::string before = ask(client.get(), first.get());
    forwarder.retarget(ForwardPlace::target(true, true, second_v4));
    return before + ", " + ask(client.get(), second.get());
  });
  EXPECT_EQ(answer, "answer to ask client, answer to ask client");
}

TEST(ForwardUdp, MoreFlowsThanThereIsRoomForPushOutTheOldest) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const rlimit little{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &little);
    int heard = 0;
    for (int i = 0; i < 200; ++i) {
      const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
      heard += ask(client.get(), server.get()) == "answer to ask client";
    }
    return std::to_string(heard);
  });
  EXPECT_EQ(answer, "200");
}

TEST(ForwardUdp, AWithdrawnPortIsFree) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd server = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_DGRAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port, Transport::udp);
    const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_DGRAM);
    const std::string before = ask(client.get(), server.get());
    while (!forwarder.ports().empty()) forwarder.withdraw(forwarder.ports().back().socket.get());
    bind_ports({.first = port, .transport = Transport::udp});
    return before;
  });
  EXPECT_EQ(answer, "answer to ask client");
}

}  // namespace
}  // namespace knarr::netns::forward
