// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/forward_place.h"

#include <unistd.h>

#include <cstring>

#include "netns/bridge.h"
#include "netns/engine_netns.h"
#include "netns/enter.h"
#include "netns/link.h"
#include "netns/transparent.h"
#include "rootless/sys/error.h"

namespace knarr::test {
namespace {

namespace forward = netns::forward;

const netns::InterfaceAddress gateways[] = {{*netns::parse_ip(gateway_v4), 24},
                                            {*netns::parse_ip(gateway_v6), 64}};
const netns::InterfaceAddress addresses[] = {{*netns::parse_ip(container_v4), 24},
                                             {*netns::parse_ip(second_v4), 24},
                                             {*netns::parse_ip(container_v6), 64}};

// A name for `ip link ... netns` that holds in the child that runs it, too.
std::string path_of(const sys::UniqueFd& netns) {
  return concat("/proc/", ::getpid(), "/fd/", netns.get());
}

void make_wire(const sys::UniqueFd& host, const sys::UniqueFd& client) {
  run_in(host.get(), concat("ip link add wire type veth peer name wire netns ", path_of(client),
                            "; ip link set wire up; ip addr add 192.0.2.1/24 dev wire; "
                            "ip addr add 2001:db8::1/64 dev wire nodad"));
  run_in(client.get(),
         "ip link set lo up; ip link set wire up; ip addr add 192.0.2.2/24 dev wire; "
         "ip addr add 2001:db8::2/64 dev wire nodad");
}

void make_network(const sys::UniqueFd& engine_fd, const sys::UniqueFd& container_fd) {
  netns::Namespace engine = netns::open_namespace(engine_fd.get(), netns::Filtering::yes);
  netns::Namespace container = netns::open_container_namespace(container_fd.get());
  const netns::Bridge bridge{.name = "br0", .mtu = 65520, .addresses = gateways, .address_count = 2};
  netns::apply_engine_netns(engine, "", {&bridge, 1});
  netns::apply_bridge(engine, bridge);
  const netns::Route routes[] = {{*netns::parse_subnet("0.0.0.0/0"), gateways[0].address},
                                 {*netns::parse_subnet("::/0"), gateways[1].address}};
  netns::Link link;
  link.bridge = &bridge;
  std::strcpy(link.name, "eth0");
  link.mac = *netns::parse_mac("02:00:00:00:00:02");
  link.addresses = addresses;
  link.address_count = 3;
  link.routes = routes;
  link.route_count = 2;
  netns::apply_link(engine, container, link);
  netns::apply_transparent_replies(container);
}

}  // namespace

ForwardPlace::ForwardPlace()
    : host(own_netns()),
      client(netns::make_network_namespace()),
      engine(netns::make_network_namespace()),
      container(netns::make_network_namespace()) {
  make_network(engine, container);
  make_wire(host, client);
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
