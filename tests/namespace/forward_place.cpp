// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/forward_place.h"

#include <unistd.h>

#include "netns/forward/transparent.h"
#include "rootless/sys/error.h"

namespace knarr::test {
namespace {

namespace forward = netns::forward;

// A name for `ip link ... netns` that holds in the child that runs it, too.
std::string path_of(const sys::UniqueFd& netns) {
  return concat("/proc/", ::getpid(), "/fd/", netns.get());
}

const char* const container_setup = R"(
ip link set eth0 up
ip addr add 10.88.0.2/24 dev eth0; ip addr add 10.88.0.3/24 dev eth0; ip addr add fd00::2/64 dev eth0 nodad
ip route add default via 10.88.0.1; ip -6 route add default via fd00::1
for key in ipv4/tcp_fwmark_accept ipv4/fwmark_reflect ipv6/fwmark_reflect; do echo 1 >/proc/sys/net/$key; done
for family in -4 -6; do
  ip $family rule add fwmark $MARK lookup $TABLE
  ip $family route add local default dev lo table $TABLE
done
)";

const char* const engine_setup = R"(
ip link set port0 up
ip addr add 10.88.0.1/24 dev port0; ip addr add fd00::1/64 dev port0 nodad
)";

// Answers to UDP clients come back to the socket that has the client's address.
const char* const engine_answers = R"(
for family in -4 -6; do
  ip $family rule add fwmark 1 lookup 101
  ip $family route add local default dev lo table 101
done
nft -f - <<END
table inet test {
  chain answers {
    type filter hook prerouting priority mangle
    socket transparent 1 meta mark set 1
  }
}
END
)";

}  // namespace

ForwardPlace::ForwardPlace()
    : host(own_netns()), client(make_netns()), engine(make_netns()), container(make_netns()) {
  run_in(host.get(), concat("ip link add wire type veth peer name wire netns ", path_of(client),
                            "; ip link set wire up; ip addr add 192.0.2.1/24 dev wire; "
                            "ip addr add 2001:db8::1/64 dev wire nodad"));
  run_in(client.get(),
         "ip link set wire up; ip addr add 192.0.2.2/24 dev wire; "
         "ip addr add 2001:db8::2/64 dev wire nodad");
  run_in(engine.get(), concat("ip link add port0 type veth peer name eth0 netns ", path_of(container)));
  run_in(engine.get(), engine_setup);
  run_in(container.get(),
         concat("MARK=", forward::forward_mark, " TABLE=", forward::forward_table, container_setup));
  run_in(engine.get(), engine_answers);
}

forward::Target ForwardPlace::target(bool v4, bool v6, const char* address_v4) {
  forward::Target target;
  if (v4) target.v4 = {*netns::parse_ip(address_v4), *netns::parse_ip(gateway_v4)};
  if (v6) target.v6 = {*netns::parse_ip(container_v6), *netns::parse_ip(gateway_v6)};
  return target;
}

std::uint16_t ForwardPlace::publish(forward::Forwarder& forwarder, std::uint16_t container_port,
                                    forward::Transport transport) {
  std::vector<forward::BoundPort> bound = forward::bind_ports({.transport = transport});
  const std::uint16_t port = bound.front().port;
  for (forward::BoundPort& each : bound)
    forwarder.publish({transport, container_port, std::move(each.socket)});
  return port;
}

}  // namespace knarr::test
