// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include "cli/commands/verbs.h"
#include "cli/commands/version_value.h"
#include "cli/template/report.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr auto flags = std::to_array<Flag>({
    text_flag("format", 'f', "TEMPLATE", "Show JSON (json) or what a Go template says"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const Value client = version_value();
  Value document = Value::structure("Version").set("Client", client);
  for (const Value::Member& member : client.members()) document.set_hidden(member.name, member.value);
  if (const auto format = arguments.find_text("format")) {
    const bool json = templates::is_json(*format);
    invocation.out.append(
        json ? render_json_indented(document, 4) + '\n'
             : templates::render_report({.name = "version", .is_list = false}, *format, {document}));
    return 0;
  }
  const auto field = [&](std::string_view name) { return render_plain(*client.find(name)); };
  invocation.out.line("Client:       knarr");
  invocation.out.line("Version:      ", field("Version"));
  invocation.out.line("API Version:  ", field("APIVersion"));
  invocation.out.line("OS/Arch:      ", field("OsArch"));
  return 0;
}

}  // namespace

constinit const Verb version_verb = {
    .paths = {"version"},
    .usage = "[options]",
    .summary = "Show the version",
    .examples = "version\nversion --format '{{.Client.Version}}'",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = run,
};

}  // namespace knarr::cli
