// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/network/attach.h"
#include "engine/network/live_network.h"
#include "engine/network/plan_network.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    list_flag("dns-add", 0, "IP", "Add a name server to ask"),
    list_flag("dns-drop", 0, "IP", "Ask a name server no more"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const std::vector<std::string> add = arguments.list("dns-add");
  const std::vector<std::string> drop = arguments.list("dns-drop");
  if (add.empty() && drop.empty()) throw UsageError("choose --dns-add or --dns-drop");
  const engine::Engine engine = open_engine(invocation);
  const engine::NetworkStore networks = engine.networks();
  const auto lock = networks.lock(sys::Lock::Mode::exclusive);
  engine::Network network = networks.get(arguments.at(0));
  engine::update_dns_servers(network, add, drop);
  networks.replace(network);
  // Containers that run ask the new ones from now on.
  const std::string& run_root = engine.paths().run_root;
  if (engine::read_live_network(run_root, network.name))
    engine::write_live_network(run_root, network, engine::host_address(engine, {network}));
  return 0;
}

}  // namespace

constinit const Verb network_update_verb = {
    .paths = {"network update"},
    .usage = "[options] NETWORK",
    .summary = "Change the name servers of a network",
    .examples = "network update --dns-add 9.9.9.9 --dns-drop 8.8.8.8 web",
    .flags = flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run,
};

}  // namespace knarr::cli
