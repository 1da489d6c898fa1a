// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/network_view.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "cli/template/report.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr auto flags = std::to_array<Flag>({
    array_flag("filter", 'f', "NAME=VALUE", "Show the networks that match"),
    list_format_flag,
    toggle("no-trunc", 0, "Show all of the IDs"),
    toggle("noheading", 'n', "Leave the titles out").also("no-heading"),
    toggle("quiet", 'q', "Show names only"),
});
static_assert(is_well_formed(flags));

void print_formatted(Output& out, const std::string& format, const std::vector<engine::Network>& networks,
                     const Arguments& arguments) {
  if (templates::is_json(format)) {
    Value list = Value::list();
    for (const engine::Network& network : networks) list.push_back(describe_network(network));
    out.line(render_json_indented(list, 4));
    return;
  }
  std::vector<Value> rows;
  for (const engine::Network& network : networks)
    rows.push_back(network_row(network, arguments.boolean("no-trunc")));
  const templates::Report report{
      .name = "ls", .titles = {{"ID", "NETWORK ID"}}, .with_titles = !arguments.boolean("noheading")};
  out.append(render_report(report, format, rows));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::vector<engine::Network> networks =
      filter_networks(engine, list_healthy_networks(engine), arguments.list("filter"), network_filters);
  if (arguments.boolean("quiet")) {
    for (const engine::Network& network : networks) invocation.out.line(network.name);
  } else if (const auto format = list_format(arguments)) {
    print_formatted(invocation.out, *format, networks, arguments);
  } else {
    std::vector<std::vector<std::string>> table;
    if (!arguments.boolean("noheading")) table.push_back({"NETWORK ID", "NAME", "DRIVER"});
    for (const engine::Network& network : networks) {
      table.push_back(
          {arguments.boolean("no-trunc") ? network.id : short_id(network.id), network.name, network.driver});
    }
    invocation.out.append(render_table(table));
  }
  return 0;
}

}  // namespace

constinit const Verb network_ls_verb = {
    .paths = {"network ls", "network list"},
    .usage = "[options]",
    .summary = "List networks",
    .examples = "network ls\nnetwork ls --format '{{.Name}}: {{range .Subnets}}{{.Subnet}} {{end}}'",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::networks,
    .run = run,
};

}  // namespace knarr::cli
