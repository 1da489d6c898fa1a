// SPDX-License-Identifier: Apache-2.0
#include <sys/random.h>

#include "cli/commands/engine_access.h"
#include "cli/commands/network_view.h"
#include "cli/commands/verbs.h"
#include "engine/container_ids.h"
#include "engine/network/host_routes.h"
#include "engine/network/plan_network.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("disable-dns", 0, "Containers do not find each other by name"),
    list_flag("dns", 0, "IP", "Name server to ask instead of the host's"),
    text_flag("driver", 'd', "DRIVER", "What the network is made of").with_default("bridge").one_of("bridge"),
    array_flag("gateway", 0, "IP", "The bridge's address in a --subnet (default the first one)"),
    toggle("ignore", 0, "Do not mind a network that exists already"),
    text_flag("interface-name", 0, "NAME", "Name of the bridge"),
    toggle("internal", 0, "No way out of the network"),
    array_flag("ip-range", 0, "RANGE", "Give addresses of a part of a --subnet only: a subnet, or START-END"),
    text_flag("ipam-driver", 0, "DRIVER", "Who gives addresses: host-local, or none")
        .one_of("host-local none"),
    toggle("ipv6", 0, "Give addresses of both families (default unless a --subnet says otherwise)"),
    array_flag("label", 0, "NAME=VALUE", "Add a label"),
    array_flag("opt", 'o', "NAME=VALUE",
               "mtu=, metric=, no_default_route=, or isolate=true (default), strict, false"),
    array_flag("route", 0, "SUBNET,GATEWAY[,METRIC]", "Add a route to its containers"),
    array_flag("subnet", 0, "SUBNET", "Addresses of the network; several, of either family"),
});
static_assert(is_well_formed(flags));

engine::NetworkRequest make_request(const Arguments& arguments) {
  engine::NetworkRequest request;
  if (!arguments.positional().empty()) request.name = arguments.at(0);
  request.driver = arguments.text("driver");
  request.interface = arguments.text("interface-name");
  request.subnets = arguments.list("subnet");
  request.gateways = arguments.list("gateway");
  request.ip_ranges = arguments.list("ip-range");
  request.routes = arguments.list("route");
  request.dns_servers = arguments.list("dns");
  request.labels = arguments.list("label");
  request.options = arguments.list("opt");
  request.internal = arguments.boolean("internal");
  request.disable_dns = arguments.boolean("disable-dns");
  if (arguments.given("ipv6")) request.ipv6 = arguments.boolean("ipv6");
  request.ipam_driver = arguments.text("ipam-driver");
  return request;
}

engine::NetworkSurroundings look_around(const engine::Engine& engine) {
  engine::NetworkSurroundings there;
  there.networks = list_healthy_networks(engine);
  there.host_routes = engine::read_host_routes();
  there.rootful = engine.host().rootful;
  // Rootless bridges are in a namespace of their own.
  if (there.rootful) there.host_interfaces = engine::list_host_interfaces();
  there.id = engine::random_container_id();
  there.created = engine::render_rfc3339_nano(engine::wall_clock_ns(), engine::TimeZone::utc);
  if (::getrandom(there.random.data(), there.random.size(), 0) != static_cast<ssize_t>(there.random.size()))
    throw_errno("reading random bytes");
  return there;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const engine::NetworkStore networks = engine.networks();
  const engine::NetworkRequest request = make_request(arguments);
  // Two commands at once must not choose the same subnet.
  const auto lock = networks.lock(sys::Lock::Mode::exclusive);
  if (arguments.boolean("ignore") && !request.name.empty() && networks.find(request.name)) {
    invocation.out.line(request.name);
    return 0;
  }
  const engine::Network network = engine::plan_network(request, look_around(engine));
  networks.create(network);
  invocation.out.line(network.name);
  return 0;
}

}  // namespace

constinit const Verb network_create_verb = {
    .paths = {"network create"},
    .usage = "[options] [NAME]",
    .summary = "Make a network",
    .description =
        "Containers of a network reach each other by address and by name, the outside through the host, and\n"
        "no container of another network. Addresses nobody named are chosen where the host has no route.",
    .examples =
        "network create web\nnetwork create --subnet 10.90.0.0/24 --gateway 10.90.0.254 web\n"
        "network create --internal -o isolate=strict vault",
    .flags = flags,
    .max_arguments = 1,
    .topic = Topic::networks,
    .run = run,
};

}  // namespace knarr::cli
