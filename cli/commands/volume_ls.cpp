// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/verbs.h"
#include "cli/commands/volume_view.h"
#include "cli/table.h"
#include "cli/template/report.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr auto flags = std::to_array<Flag>({
    array_flag("filter", 'f', "NAME=VALUE", "Show the volumes that match"),
    list_format_flag,
    toggle("noheading", 'n', "Leave the titles out").also("no-heading"),
    toggle("quiet", 'q', "Show names only"),
});
static_assert(is_well_formed(flags));

void print_formatted(Output& out, const std::string& format, const std::vector<storage::Volume>& volumes,
                     bool with_titles) {
  std::vector<Value> rows;
  for (const storage::Volume& volume : volumes) rows.push_back(inspect_volume(volume));
  if (templates::is_json(format)) {
    Value list = Value::list();
    for (const Value& row : rows) list.push_back(row);
    out.line(render_json_indented(list, 4));
    return;
  }
  const templates::Report report{
      .name = "ls", .titles = {{"Name", "VOLUME NAME"}}, .with_titles = with_titles};
  out.append(render_report(report, format, rows));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  std::vector<storage::Volume> volumes =
      filter_volumes(engine, list_healthy_volumes(engine), arguments.list("filter"));
  std::sort(volumes.begin(), volumes.end(),
            [](const storage::Volume& a, const storage::Volume& b) { return a.name < b.name; });
  const bool with_titles = !arguments.boolean("noheading");
  if (arguments.boolean("quiet")) {
    for (const storage::Volume& volume : volumes) invocation.out.line(volume.name);
  } else if (const auto format = list_format(arguments)) {
    print_formatted(invocation.out, *format, volumes, with_titles);
  } else {
    std::vector<std::vector<std::string>> table;
    if (with_titles) table.push_back({"DRIVER", "VOLUME NAME"});
    for (const storage::Volume& volume : volumes) table.push_back({volume.driver, volume.name});
    invocation.out.append(render_table(table));
  }
  return 0;
}

}  // namespace

constinit const Verb volume_ls_verb = {
    .paths = {"volume ls", "volume list"},
    .usage = "[options]",
    .summary = "List volumes",
    .examples = "volume ls --filter dangling=true -q",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::volumes,
    .run = run,
};

}  // namespace knarr::cli
