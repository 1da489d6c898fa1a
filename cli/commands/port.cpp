// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_list.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/network_view.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/quote.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using engine::PortMapping;

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Show the ports of all running containers"),
    latest_flag,
});
static_assert(is_well_formed(flags));

// Those that are bound, or will be at a known port.
std::vector<PortMapping> known_ports(const engine::Engine& engine, const std::string& id) {
  std::vector<PortMapping> ports = each_port(current_ports(engine, engine.load_config(id)));
  std::erase_if(ports, [](const PortMapping& port) { return port.host_port == 0; });
  return ports;
}

std::string host_side(const PortMapping& port) {
  const std::string both = engine::render_port(port);
  return both.substr(0, both.find("->"));
}

std::string container_side(const PortMapping& port) {
  const std::string both = engine::render_port(port);
  return both.substr(both.find("->") + 2);
}

void print_ports(Output& out, const engine::Engine& engine, const std::string& id) {
  for (const PortMapping& port : known_ports(engine, id))
    out.line(container_side(port), " -> ", host_side(port));
}

// "80" or "80/udp"
int print_one(Output& out, const engine::Engine& engine, const std::string& id, const std::string& wanted) {
  const std::string port = engine::render_exposed(engine::parse_exposed(wanted));
  bool found = false;
  for (const PortMapping& mapping : known_ports(engine, id)) {
    if (container_side(mapping) != port) continue;
    out.line(host_side(mapping));
    found = true;
  }
  if (!found) throw NotFound(concat("failed to find published port ", quote_go(port)));
  return 0;
}

int run_all(const Invocation& invocation, const engine::Engine& engine, const Arguments& arguments) {
  if (!arguments.positional().empty() || arguments.boolean("latest"))
    throw UsageError("no containers and ports are allowed with --all");
  for (const ListedContainer& container : list_running(engine)) {
    const std::string& id = container.summary.id;
    if (known_ports(engine, id).empty()) continue;
    invocation.out.line(id);
    print_ports(invocation.out, engine, id);
  }
  return 0;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  if (arguments.boolean("all")) return run_all(invocation, engine, arguments);
  std::vector<std::string> words = arguments.positional();
  std::string id;
  if (arguments.boolean("latest")) {
    id = latest_container(engine);
  } else if (words.empty()) {
    throw UsageError("a container is needed, or --all or --latest");
  } else {
    id = engine.containers().get_id(words.front());
    words.erase(words.begin());
  }
  if (words.size() > 1) throw UsageError("only one port can be asked for");
  if (!words.empty()) return print_one(invocation.out, engine, id, words.front());
  print_ports(invocation.out, engine, id);
  return 0;
}

}  // namespace

constinit const Verb port_verb = {
    .paths = {"port", "container port"},
    .usage = "[options] CONTAINER [PORT[/PROTOCOL]]",
    .summary = "Show at which ports of the host a container is reached",
    .examples = "port web\nport web 80\nport --all",
    .flags = flags,
    .max_arguments = 2,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
