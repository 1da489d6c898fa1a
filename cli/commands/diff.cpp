// SPDX-License-Identifier: Apache-2.0
// diff, container diff, image diff
#include "engine/diff.h"

#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/template/report.h"
#include "cli/template/template.h"
#include "engine/images.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using storage::TreeChange;
using templates::Value;
using FindEnd = engine::DiffEnd (*)(const engine::Engine&, const std::string& name);

constexpr Flag format_flag =
    text_flag("format", 0, "TEMPLATE", "Show JSON (json) or what a Go template says of each change");
constexpr auto flags = std::to_array<Flag>({format_flag, latest_flag});
constexpr auto image_flags = std::to_array<Flag>({format_flag});
static_assert(is_well_formed(flags));

Value json_of(const std::vector<TreeChange>& changes) {
  Value value = Value::structure("ChangesReport");
  for (const auto& [name, kind] : {std::pair{"changed", TreeChange::Kind::changed},
                                   {"added", TreeChange::Kind::added},
                                   {"deleted", TreeChange::Kind::deleted}}) {
    std::vector<std::string> paths;
    for (const TreeChange& change : changes) {
      if (change.kind == kind) paths.push_back(change.path);
    }
    if (!paths.empty()) value.set(name, paths);
  }
  return value;
}

void print(Output& out, const Arguments& arguments, const std::vector<TreeChange>& changes) {
  const std::string format = arguments.text("format");
  if (format.empty()) {
    for (const TreeChange& change : changes) out.line(letter_of(change.kind), ' ', change.path);
  } else if (templates::is_json(format)) {
    out.line(render_json_indented(json_of(changes), 5));
  } else {
    std::vector<Value> rows;
    for (const TreeChange& change : changes)
      rows.push_back(Value::structure("Change")
                         .set("Kind", std::string(1, letter_of(change.kind)))
                         .set("Path", change.path));
    out.append(templates::render_report({.name = "diff"}, format, rows));
  }
}

engine::DiffEnd find_image(const engine::Engine& engine, const std::string& name) {
  return {.container_id = {}, .image = engine::get_image(engine, name)};
}

engine::DiffEnd find_container(const engine::Engine& engine, const std::string& name) {
  return {.container_id = engine.containers().get_id(name), .image = {}};
}

engine::DiffEnd find_any(const engine::Engine& engine, const std::string& name) {
  if (const auto id = engine.containers().find_id(name)) return {.container_id = *id, .image = {}};
  auto image = engine::find_image(engine, name);
  if (!image) throw NotFound(concat("no container or image \"", name, "\" found"));
  return {.container_id = {}, .image = std::move(image)};
}

int compare(const Invocation& invocation, const Arguments& arguments, FindEnd find) {
  const bool latest = arguments.knows("latest") && arguments.boolean("latest");
  const std::vector<std::string>& names = arguments.positional();
  if (latest && names.size() > 1) throw UsageError("--latest takes the place of the first name");
  if (!latest && names.empty()) throw UsageError("requires the name or ID of what to compare");
  const engine::Engine engine = open_engine(invocation);
  const engine::DiffEnd now = latest ? engine::DiffEnd{.container_id = latest_container(engine), .image = {}}
                                     : find(engine, names.front());
  std::optional<engine::DiffEnd> before;
  if (names.size() > (latest ? 0 : 1)) before = find_any(engine, names.back());
  print(invocation.out, arguments, engine::diff(engine, now, before));
  return 0;
}

int run_any(const Invocation& invocation, const Arguments& arguments) {
  return compare(invocation, arguments, find_any);
}
int run_container(const Invocation& invocation, const Arguments& arguments) {
  return compare(invocation, arguments, find_container);
}
int run_image(const Invocation& invocation, const Arguments& arguments) {
  return compare(invocation, arguments, find_image);
}

}  // namespace

constinit const Verb diff_verb = {
    .paths = {"diff"},
    .usage = "[options] CONTAINER|IMAGE [CONTAINER|IMAGE]",
    .summary = "Show what has changed in a container or an image",
    .description =
        "A line for each file: A added, C changed, D deleted, since the image or the parent layer, or else\n"
        "compared to the second name.",
    .examples = "diff web\ndiff web debian:12\ndiff --format json debian:12",
    .flags = flags,
    .max_arguments = 2,
    .completion = Completion::objects,
    .run = run_any,
};

constinit const Verb container_diff_verb = {
    .paths = {"container diff"},
    .usage = "[options] CONTAINER [CONTAINER|IMAGE]",
    .summary = "Show what has changed in a container",
    .description =
        "A line for each file: A added, C changed, D deleted, since the image, or else compared to "
        "the second name.",
    .examples = "container diff web",
    .flags = flags,
    .max_arguments = 2,
    .completion = Completion::containers,
    .run = run_container,
};

constinit const Verb image_diff_verb = {
    .paths = {"image diff"},
    .usage = "[options] IMAGE [CONTAINER|IMAGE]",
    .summary = "Show what the topmost layer of an image changes",
    .description =
        "A line for each file: A added, C changed, D deleted, since the parent layer, or else "
        "compared to the second name.",
    .examples = "image diff debian:12\nimage diff my/app:2 my/app:1",
    .flags = image_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_image,
};

}  // namespace knarr::cli
