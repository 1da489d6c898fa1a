// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"
#include "tests/namespace/forward_place.h"
#include "tests/namespace/user_child.h"

namespace knarr::netns::forward {
namespace {

using namespace knarr::test;
using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr std::uint16_t server_port = 80;

// What a child in fresh namespaces, with a forwarder for the container there, has to say.
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

// A server in the container, a published port, and one connection through it.
struct Conversation {
  Conversation(ForwardPlace& place, Forwarder& forwarder)
      : listener(listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_STREAM)),
        port(ForwardPlace::publish(forwarder, server_port)),
        client(connect_in(place.client.get(), host_v4, port, SOCK_STREAM)),
        server(accept_from(listener.get(), &seen)) {}

  std::string seen;  // the client, by the server
  sys::UniqueFd listener;
  std::uint16_t port;
  sys::UniqueFd client, server;
};

// Bytes that differ everywhere, so that nothing lost, doubled or swapped goes unseen.
std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 2654435769u + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

void reset(sys::UniqueFd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.reset();
}

// ---- who the server sees ----

std::string client_seen(const char* listen_at, int from_netns(const ForwardPlace&), const char* connect_to,
                        const Target& target = ForwardPlace::target()) {
  return with_forwarder(
      [&](ForwardPlace& place, Forwarder& forwarder) {
        const sys::UniqueFd listener = listen_in(place.container.get(), listen_at, server_port, SOCK_STREAM);
        const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
        const sys::UniqueFd client = connect_in(from_netns(place), connect_to, port, SOCK_STREAM);
        std::string seen;
        const sys::UniqueFd server = accept_from(listener.get(), &seen);
        send_text(client.get(), "ask");
        const std::string asked = receive_some(server.get());
        send_text(server.get(), "answer");
        return concat(asked, ' ', receive_some(client.get()), ' ',
                      seen == local_of(client.get()) ? "client" : seen);
      },
      target);
}

int behind_wire(const ForwardPlace& place) {
  return place.client.get();
}
int on_host(const ForwardPlace& place) {
  return place.host.get();
}

TEST(ForwardTcp, TheServerSeesTheClient) {
  EXPECT_EQ(client_seen("0.0.0.0", behind_wire, host_v4), "ask answer client");
}

TEST(ForwardTcp, TheServerSeesTheClientOfIpv6) {
  EXPECT_EQ(client_seen("::", behind_wire, host_v6), "ask answer client");
}

TEST(ForwardTcp, AClientOnTheHostsOwnAddressIsSeenAsThat) {
  EXPECT_EQ(client_seen("0.0.0.0", on_host, host_v4), "ask answer client");
}

TEST(ForwardTcp, AClientOnTheLoopbackIsSeenAsTheGateway) {
  EXPECT_THAT(client_seen("0.0.0.0", on_host, "127.0.0.1"), StartsWith("ask answer 10.88.0.1:"));
  EXPECT_THAT(client_seen("::", on_host, "::1"), StartsWith("ask answer fd00::1:"));
}

TEST(ForwardTcp, AClientOfTheOtherFamilyIsSeenAsTheGateway) {
  EXPECT_THAT(client_seen("0.0.0.0", behind_wire, host_v6, ForwardPlace::target(true, false)),
              StartsWith("ask answer 10.88.0.1:"));
  EXPECT_THAT(client_seen("::", behind_wire, host_v4, ForwardPlace::target(false, true)),
              StartsWith("ask answer fd00::1:"));
}

TEST(ForwardTcp, OnRequestEverybodyIsSeenAsTheGateway) {
  Target target = ForwardPlace::target();
  target.keep_client = false;
  EXPECT_THAT(client_seen("0.0.0.0", behind_wire, host_v4, target), StartsWith("ask answer 10.88.0.1:"));
}

TEST(ForwardTcp, WithoutANetworkTheLoopbackIsReachedFromTheClient) {
  const IpAddress loopback = *parse_ip("127.0.0.1");
  EXPECT_EQ(client_seen("127.0.0.1", behind_wire, host_v4, {.v4 = Endpoint{loopback, loopback}, .v6 = {}}),
            "ask answer client");
}

TEST(ForwardTcp, AClientThatUsesOnePortTwiceKeepsItsAddress) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd listener = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_STREAM);
    std::string seen;
    std::vector<sys::UniqueFd> open;
    for (int i = 0; i < 2; ++i) {
      const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
      open.push_back(connect_in(place.client.get(), host_v4, port, SOCK_STREAM, client_v4, 4000));
      std::string client;
      open.push_back(accept_from(listener.get(), &client));
      seen += client.substr(0, client.find(':')) + (client == "192.0.2.2:4000" ? " same " : " other ");
    }
    return seen;
  });
  EXPECT_EQ(answer, "192.0.2.2 same 192.0.2.2 other ");
}

// ---- ends ----

TEST(ForwardTcp, EachDirectionEndsOnItsOwn) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    send_text(talk.client.get(), "question");
    ::shutdown(talk.client.get(), SHUT_WR);
    const std::string asked = receive_all(talk.server.get());
    send_text(talk.server.get(), "answer to " + asked);
    ::shutdown(talk.server.get(), SHUT_WR);
    return receive_all(talk.client.get());
  });
  EXPECT_EQ(answer, "answer to question");
}

TEST(ForwardTcp, TheServerMayEndFirst) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    send_text(talk.server.get(), "banner");
    ::shutdown(talk.server.get(), SHUT_WR);
    const std::string read = receive_all(talk.client.get());
    send_text(talk.client.get(), "still heard");
    ::shutdown(talk.client.get(), SHUT_WR);
    return read + ", " + receive_all(talk.server.get());
  });
  EXPECT_EQ(answer, "banner, still heard");
}

TEST(ForwardTcp, AResetReachesTheOtherEnd) {
  EXPECT_EQ(with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
              Conversation talk(place, forwarder);
              reset(talk.client);
              return receive_all(talk.server.get());
            }),
            "connection reset by peer");
  EXPECT_EQ(with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
              Conversation talk(place, forwarder);
              reset(talk.server);
              return receive_all(talk.client.get());
            }),
            "connection reset by peer");
}

TEST(ForwardTcp, RefusedStaysRefused) {
  EXPECT_EQ(with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
              const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
              const sys::UniqueFd client = connect_in(place.client.get(), host_v4, port, SOCK_STREAM);
              return receive_all(client.get());
            }),
            "connection reset by peer");
}

TEST(ForwardTcp, AnAnswerBeforeTheRequestWasReadArrives) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    Conversation talk(place, forwarder);
    send_text(talk.client.get(), std::string(100000, 'x'));
    receive_some(talk.server.get());
    send_text(talk.server.get(), "too large");
    const std::string read = receive_some(talk.client.get());
    char next;
    ::recv(talk.server.get(), &next, 1, MSG_PEEK);
    talk.server.reset();  // with unread bytes: a reset
    return read + ", then " + receive_all(talk.client.get());
  });
  EXPECT_EQ(answer, "too large, then connection reset by peer");
}

// ---- bytes ----

TEST(ForwardTcp, LargeTransfersArriveWholeBothWays) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    const std::string up = pattern(48 << 20, 1), down = pattern(48 << 20, 2);
    std::string got_up, got_down;
    std::vector<std::thread> threads;
    threads.emplace_back([&] { send_text(talk.client.get(), up), ::shutdown(talk.client.get(), SHUT_WR); });
    threads.emplace_back([&] { send_text(talk.server.get(), down), ::shutdown(talk.server.get(), SHUT_WR); });
    threads.emplace_back([&] { got_up = receive_all(talk.server.get()); });
    got_down = receive_all(talk.client.get());
    for (std::thread& thread : threads) thread.join();
    return concat(got_up == up ? "whole" : "damaged", ' ', got_down == down ? "whole" : "damaged");
  });
  EXPECT_EQ(answer, "whole whole");
}

TEST(ForwardTcp, WritesOfAllSizesArriveInOrder) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    const std::string sent = pattern(4 << 20, 3);
    std::thread sender([&] {
      std::size_t size = 1;
      for (std::size_t at = 0; at < sent.size(); at += size, size = size * 5 % 65521) {
        send_text(talk.server.get(), sent.substr(at, size));
      }
      ::shutdown(talk.server.get(), SHUT_WR);
    });
    const std::string got = receive_all(talk.client.get());
    sender.join();
    return got == sent ? "whole" : concat("damaged: ", got.size());
  });
  EXPECT_EQ(answer, "whole");
}

TEST(ForwardTcp, ASlowReaderStopsTheWriterAndLosesNothing) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    const std::string sent = pattern(96 << 20, 4);
    std::size_t taken = 0;
    // Until nothing moves any more for a while: all the buffers between are full.
    for (int quiet = 0; quiet < 50 && taken < sent.size();) {
      const ssize_t now = ::send(talk.client.get(), sent.data() + taken, sent.size() - taken, MSG_DONTWAIT);
      if (now > 0) taken += static_cast<std::size_t>(now);
      quiet = now > 0 ? 0 : quiet + 1;
      if (now < 0) ::usleep(10000);
    }
    const bool stopped = taken < sent.size();
    ::shutdown(talk.client.get(), SHUT_WR);
    return concat(stopped ? "stopped" : "swallowed", ' ',
                  receive_all(talk.server.get()) == sent.substr(0, taken) ? "whole" : "damaged");
  });
  EXPECT_EQ(answer, "stopped whole");
}

TEST(ForwardTcp, AThousandConnectionsEachGetTheirOwn) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd listener = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_STREAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
    std::vector<sys::UniqueFd> clients, servers;
    for (int i = 0; i < 1000; ++i)
      clients.push_back(connect_in(place.client.get(), host_v4, port, SOCK_STREAM));
    for (int i = 0; i < 1000; ++i) servers.push_back(accept_from(listener.get()));
    for (const sys::UniqueFd& client : clients) send_text(client.get(), local_of(client.get()));
    int right = 0;
    for (const sys::UniqueFd& server : servers) right += receive_some(server.get()) == peer_of(server.get());
    return std::to_string(right);
  });
  EXPECT_EQ(answer, "1000");
}

// ---- changes while it runs ----

TEST(ForwardTcp, NewConnectionsGoToTheNewAddressAndOldOnesGoOn) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd first = listen_in(place.container.get(), container_v4, server_port, SOCK_STREAM);
    const sys::UniqueFd second = listen_in(place.container.get(), second_v4, server_port, SOCK_STREAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
    const sys::UniqueFd old_client = connect_in(place.client.get(), host_v4, port, SOCK_STREAM);
    const sys::UniqueFd old_server = accept_from(first.get());
    forwarder.retarget(ForwardPlace::target(true, true, second_v4));
    const sys::UniqueFd new_client = connect_in(place.client.get(), host_v4, port, SOCK_STREAM);
    const sys::UniqueFd new_server = accept_from(second.get());
    send_text(old_client.get(), "old");
    send_text(new_client.get(), "new");
    return receive_some(old_server.get()) + ' ' + receive_some(new_server.get());
  });
  EXPECT_EQ(answer, "old new");
}

TEST(ForwardTcp, ConnectionsToAnAddressThatWentAreReset) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    forwarder.reset_connections_to(*parse_ip(second_v4));
    send_text(talk.client.get(), "still there");
    const std::string before = receive_some(talk.server.get());
    forwarder.reset_connections_to(*parse_ip(container_v4));
    return before + ", " + receive_all(talk.client.get());
  });
  EXPECT_EQ(answer, "still there, connection reset by peer");
}

TEST(ForwardTcp, WithoutAnAddressClientsAreRefused) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
    forwarder.retarget({});
    return receive_all(connect_in(place.client.get(), host_v4, port, SOCK_STREAM).get());
  });
  // By the first read, or so quickly that it is by connect(2).
  EXPECT_THAT(answer, testing::HasSubstr("connection reset by peer"));
}

TEST(ForwardTcp, AWithdrawnPortIsRefusedAndItsConnectionsGoOn) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    while (!forwarder.ports().empty()) forwarder.withdraw(forwarder.ports().back().socket.get());
    std::string refused = "taken";
    try {
      connect_in(place.client.get(), host_v4, talk.port, SOCK_STREAM);
    } catch (const SysError& error) {
      refused = errno_words(error.code());
    }
    send_text(talk.client.get(), "goes on");
    return refused + ", " + receive_some(talk.server.get());
  });
  EXPECT_EQ(answer, "connection refused, goes on");
}

// ---- the container's death ----

TEST(ForwardTcp, AtTheEndOpenConnectionsAreReset) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const Conversation talk(place, forwarder);
    forwarder.end(5000);
    sys::require_single_thread("looking");
    return receive_all(talk.client.get());
  });
  EXPECT_EQ(answer, "connection reset by peer");
}

TEST(ForwardTcp, WhatTheContainerSentBeforeItsEndArrives) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    Conversation talk(place, forwarder);
    // More than the buffers on the way hold: the client has to read while the forwarder ends.
    const std::string sent = pattern(24 << 20, 5);
    std::thread server([&] {
      send_text(talk.server.get(), sent);
      talk.server.reset();
    });
    std::string got(1 << 20, '\0');
    ::recv(talk.client.get(), got.data(), got.size(), MSG_WAITALL);
    std::thread client([&] { got += receive_all(talk.client.get()); });
    server.join();
    forwarder.end(10000);
    client.join();
    return got == sent ? "whole" : concat("damaged: ", got.size());
  });
  EXPECT_EQ(answer, "whole");
}

TEST(ForwardTcp, AClientThatDoesNotReadHoldsUpTheEndOnlyAsLongAsToldTo) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    Conversation talk(place, forwarder);
    const int little = 65536;
    ::setsockopt(talk.client.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    const timeval short_patience{0, 300'000};
    ::setsockopt(talk.server.get(), SOL_SOCKET, SO_SNDTIMEO, &short_patience, sizeof short_patience);
    try {
      send_text(talk.server.get(), std::string(64 << 20, 'x'));
    } catch (const SysError&) {
    }
    talk.server.reset();
    forwarder.end(100);
    return receive_all(talk.client.get()).find("reset") != std::string::npos ? "reset" : "ended";
  });
  EXPECT_EQ(answer, "reset");
}

// ---- limits ----

std::int64_t cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::int64_t{used.tv_sec} * 1000 + used.tv_nsec / 1'000'000;
}

TEST(ForwardTcp, WithoutDescriptorsClientsWaitAndNothingSpins) {
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& forwarder) {
    const sys::UniqueFd listener = listen_in(place.container.get(), "0.0.0.0", server_port, SOCK_STREAM);
    const std::uint16_t port = ForwardPlace::publish(forwarder, server_port);
    rlimit limit;
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{3, limit.rlim_max};
    const sys::UniqueFd early = connect_in(place.client.get(), host_v4, port, SOCK_STREAM);
    const sys::UniqueFd early_server = accept_from(listener.get());
    const SocketAddress to = to_socket_address({*parse_ip(host_v4), port});
    sys::UniqueFd late;
    in_netns(place.client.get(), [&] { late.reset(::socket(AF_INET, SOCK_STREAM, 0)); });
    ::setrlimit(RLIMIT_NOFILE, &none);
    const std::int64_t before = cpu_ms();
    const bool connected = ::connect(late.get(), &to.any, to.size()) == 0;
    send_text(late.get(), "late");
    send_text(early.get(), "early");
    const std::string heard = receive_some(early_server.get());
    ::usleep(500'000);
    const bool spun = cpu_ms() - before > 250;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::string after = receive_some(accept_from(listener.get()).get());
    return concat(connected ? "waits, " : "refused, ", heard, ", ", spun ? "spins, " : "rests, ", after);
  });
  EXPECT_EQ(answer, "waits, early, rests, late");
}

// Of this process alone, in KiB.
int private_memory() {
  const std::string rollup = sys::read_file(AT_FDCWD, "/proc/self/smaps_rollup");
  int sum = 0;
  for (const char* field : {"Private_Clean:", "Private_Dirty:"}) {
    sum += std::stoi(rollup.substr(rollup.find(field) + std::strlen(field)));
  }
  return sum;
}

void do_much(ForwardPlace& place, Forwarder& forwarder) {
  const Conversation talk(place, forwarder);
  std::thread sender([&] {
    for (int i = 0; i < 64; ++i) send_text(talk.client.get(), std::string(1 << 20, 'x'));
    ::shutdown(talk.client.get(), SHUT_WR);
  });
  char bytes[65536];
  while (::recv(talk.server.get(), bytes, sizeof bytes, 0) > 0) {
  }
  sender.join();
  std::vector<sys::UniqueFd> open;
  for (int i = 0; i < 200; ++i) {
    open.push_back(connect_in(place.client.get(), host_v4, talk.port, SOCK_STREAM));
  }
}

TEST(ForwardTcp, AfterWorkTheMemoryIsGivenBack) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory would be counted";
#endif
  const std::string answer = with_forwarder([](ForwardPlace& place, Forwarder& first) {
    do_much(place, first);  // now the test itself holds all it will
    first.end(0);
    const int before = private_memory();
    Forwarder second(place.container.get(), place.engine.get(), ForwardPlace::target());
    do_much(place, second);
    int after = 0;
    for (int i = 0; i < 100; ++i) {
      after = private_memory() - before;
      if (after <= 100) break;
      ::usleep(50'000);
    }
    return after <= 100 ? "little" : concat(after, " KiB");
  });
  EXPECT_EQ(answer, "little");
}

}  // namespace
}  // namespace knarr::netns::forward
