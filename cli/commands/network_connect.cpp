// SPDX-License-Identifier: Apache-2.0
// network connect, network disconnect, network reload
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "engine/network/connect.h"
#include "engine/network/live.h"
#include "engine/request/networks.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto connect_flags = std::to_array<Flag>({
    list_flag("alias", 0, "NAME", "Another name in the network"),
    text_flag("ip", 0, "IP", "IPv4 address"),
    text_flag("ip6", 0, "IP", "IPv6 address"),
    text_flag("mac-address", 0, "MAC", "Ethernet address"),
});
static_assert(is_well_formed(connect_flags));

int run_connect(const Invocation& invocation, const Arguments& arguments) {
  engine::NetworkAttachment attachment;
  attachment.network = arguments.at(0);
  for (const std::string& alias : arguments.list("alias")) engine::add_alias(attachment, "alias", alias);
  if (arguments.given("ip")) engine::wish_address(attachment, "ip", arguments.text("ip"));
  if (arguments.given("ip6")) engine::wish_address(attachment, "ip6", arguments.text("ip6"));
  if (arguments.given("mac-address"))
    engine::wish_mac(attachment, "mac-address", arguments.text("mac-address"));
  const engine::Engine engine = open_engine(invocation);
  engine::connect_network(engine, engine.containers().get_id(arguments.at(1)), attachment);
  return 0;
}

constexpr auto disconnect_flags = std::to_array<Flag>({
    toggle("force", 'f', "Do not mind a container that is not there, or not on the network"),
});

int run_disconnect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool force = arguments.boolean("force");
  const auto id = engine.containers().find_id(arguments.at(1));
  if (!id && force) return 0;
  try {
    engine::disconnect_network(engine, engine.containers().get_id(arguments.at(1)), arguments.at(0));
  } catch (const Conflict&) {
    if (!force) throw;
  }
  return 0;
}

constexpr auto reload_flags = std::to_array<Flag>({all_flag, latest_flag});

int run_reload(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const auto containers = choose_containers(engine, arguments, {.only_running = true});
  return act_on_each(invocation.out, containers, [&](const Chosen& container) {
    engine::reload_networks(engine, container.id);
    return container.id;
  });
}

}  // namespace

constinit const Verb network_connect_verb = {
    .paths = {"network connect"},
    .usage = "[options] NETWORK CONTAINER",
    .summary = "Put a container on another network",
    .examples = "network connect web box\nnetwork connect --ip 10.89.0.9 --alias db web box",
    .flags = connect_flags,
    .min_arguments = 2,
    .max_arguments = 2,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run_connect,
};

constinit const Verb network_disconnect_verb = {
    .paths = {"network disconnect"},
    .usage = "[options] NETWORK CONTAINER",
    .summary = "Take a container off a network",
    .examples = "network disconnect web box",
    .flags = disconnect_flags,
    .min_arguments = 2,
    .max_arguments = 2,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run_disconnect,
};

constinit const Verb network_reload_verb = {
    .paths = {"network reload"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Make the networks of running containers again where something is missing",
    .examples = "network reload --all",
    .flags = reload_flags,
    .topic = Topic::networks,
    .completion = Completion::running_containers,
    .run = run_reload,
};

}  // namespace knarr::cli
