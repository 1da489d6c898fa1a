// SPDX-License-Identifier: Apache-2.0
// A published port without an engine: a host, a client behind a wire and a container in namespaces of their
// own, joined by this project's modules. Prints where they are as "NAME PATH" or "port NUMBER", lives until
// its standard input ends.
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "tests/namespace/forward_place.h"

int main() {
  using namespace knarr;
  try {
    test::enter_new_host();
    const test::ForwardPlace place;
    netns::forward::Forwarder forwarder(place.container.get(), place.engine.get(),
                                        test::ForwardPlace::target());
    constexpr std::uint16_t container_port = 5000;
    const auto bound = [&](netns::forward::Transport transport, std::uint16_t port) {
      for (auto& each : netns::forward::bind_ports({.first = port, .transport = transport})) {
        forwarder.publish({transport, container_port, std::move(each.socket)});
      }
    };
    constexpr std::uint16_t host_port = 5001;
    bound(netns::forward::Transport::tcp, host_port);
    bound(netns::forward::Transport::udp, host_port);
    const auto show = [](const char* name, const sys::UniqueFd& fd) {
      std::printf("%s /proc/%d/fd/%d\n", name, ::getpid(), fd.get());
    };
    show("host", place.host);
    show("client", place.client);
    show("container", place.container);
    std::printf("port %d\n", host_port);
    std::fflush(stdout);
    char byte;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "published: %s\n", error.what());
    return 1;
  }
}
