// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/network_view.h"
#include "cli/commands/selection.h"
#include "cli/commands/stop_timeout.h"
#include "cli/commands/unused.h"
#include "cli/commands/verbs.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto rm_flags = std::to_array<Flag>({
    toggle("force", 'f', "Remove the containers that use them, too; do not mind missing ones"),
    stop_timeout_flag,
});
static_assert(is_well_formed(rm_flags));

int run_rm(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool force = arguments.boolean("force");
  if (arguments.given("time") && !force) throw UsageError("--force must be set to use the --time option");
  std::vector<Chosen> networks;
  for (const std::string& name : arguments.positional()) networks.push_back({name, name});
  const auto remove = [&](const Chosen& network) -> std::string {
    try {
      remove_network(engine, network.name, force, stop_timeout(arguments));
    } catch (const NotFound&) {
      if (!force) throw;
      return "";
    }
    return network.name;
  };
  return act_on_each(invocation.out, networks, remove, {.missing = 1, .conflict = 2});
}

constexpr auto prune_flags = std::to_array<Flag>({
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match: label=, label!=, until="),
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(prune_flags));

int run_prune(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const auto filtered =
      filter_networks(engine, list_healthy_networks(engine), arguments.list("filter"), prune_filters);
  if (!arguments.boolean("force") &&
      !confirm(invocation.out,
               "WARNING! This will remove all networks not used by at least one container.")) {
    return 0;
  }
  std::vector<Chosen> unused;
  const auto used = containers_by_network(engine);
  for (const engine::Network& network : filtered) {
    if (network.name != engine::default_network_name && !used.contains(network.name))
      unused.push_back({network.name, network.name});
  }
  return act_on_each(invocation.out, unused, [&](const Chosen& network) -> std::string {
    try {
      remove_network(engine, network.name, false, std::nullopt);
      return network.name;
    } catch (const Conflict&) {
      return "";  // a container uses it since we looked
    } catch (const NotFound&) {
      return "";  // removed meanwhile
    }
  });
}

}  // namespace

constinit const Verb network_rm_verb = {
    .paths = {"network rm", "network remove"},
    .usage = "[options] NETWORK [NETWORK...]",
    .summary = "Remove networks",
    .description = "Exits with 1 when a network does not exist, with 2 when a container uses one.",
    .examples = "network rm web\nnetwork rm -f web",
    .flags = rm_flags,
    .min_arguments = 1,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run_rm,
};

constinit const Verb network_prune_verb = {
    .paths = {"network prune"},
    .usage = "[options]",
    .summary = "Remove networks that no container uses",
    .description =
        "Containers count whether they run or not, but only those of this engine: where podman has its\n"
        "networks in the same directory, those of its containers alone are removed, too.",
    .examples = "network prune -f\nnetwork prune --filter until=24h",
    .flags = prune_flags,
    .max_arguments = 0,
    .topic = Topic::networks,
    .run = run_prune,
};

}  // namespace knarr::cli
