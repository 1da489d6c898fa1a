// SPDX-License-Identifier: Apache-2.0
// inspect, container inspect, image inspect, volume inspect, network inspect
#include <functional>

#include "cli/commands/container_view.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/image_view.h"
#include "cli/commands/network_view.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/commands/volume_view.h"
#include "cli/errors.h"
#include "cli/quote.h"
#include "cli/template/report.h"
#include "cli/template/template.h"
#include "engine/container_size.h"
#include "engine/images.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using templates::Value;
// nullopt: no object of this kind has that name.
using Find = std::function<std::optional<Value>(const std::string&)>;

constexpr Flag format_flag =
    text_flag("format", 'f', "TEMPLATE", "Show JSON (json) or what a Go template says").with_default("json");
constexpr Flag size_flag =
    toggle("size", 's', "Show what containers have written, and the size of their images");

std::optional<Value> find_container(const engine::Engine& engine, const std::string& name, bool with_size) {
  const auto id = engine.containers().find_id(name);
  if (!id) return std::nullopt;
  Value value = inspect_container(engine, *id);
  if (with_size) {
    const engine::ContainerSize size = engine::measure_containers(engine, {*id})[*id];
    value.set("SizeRw", size.written).set("SizeRootFs", size.image);
  }
  return value;
}

std::optional<Value> describe_image(const engine::Engine& engine, const std::string& name) {
  try {
    const auto image = engine::find_image(engine, name);
    if (!image) return std::nullopt;
    return inspect_image(engine, *image);
  } catch (const InvalidArgument&) {
    return std::nullopt;  // what cannot be an image's name may name something else
  }
}

std::optional<Value> find_volume(const engine::Engine& engine, const std::string& name) {
  try {
    const auto volume = engine.volumes().find_volume(name);
    if (!volume) return std::nullopt;
    return inspect_volume(*volume);
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
}

std::optional<Value> find_network(const engine::Engine& engine, const std::string& name) {
  const auto network = engine.networks().find(name);
  if (!network) return std::nullopt;
  return inspect_network(engine, *network);
}

Find find_any(const engine::Engine& engine, bool with_size) {
  return [&engine, with_size](const std::string& name) {
    auto value = find_container(engine, name, with_size);
    if (!value) value = describe_image(engine, name);
    if (!value) value = find_volume(engine, name);
    if (!value) value = find_network(engine, name);
    return value;
  };
}

Find find_by_type(const engine::Engine& engine, const std::string& type, bool with_size = false) {
  if (type == "all") return find_any(engine, with_size);
  if (type == "container") {
    return [&engine, with_size](const std::string& name) { return find_container(engine, name, with_size); };
  }
  if (type == "image") return [&engine](const std::string& name) { return describe_image(engine, name); };
  if (type == "volume") return [&engine](const std::string& name) { return find_volume(engine, name); };
  if (type == "network") return [&engine](const std::string& name) { return find_network(engine, name); };
  if (type == "pod") throw Unsupported(concat("--type=", type, " is not supported yet"));
  throw InvalidArgument(
      concat("invalid type ", quote_go(type), ": choose from container, image, volume, network, all"));
}

void print_objects(Output& out, const std::string& format, const std::vector<Value>& objects) {
  if (templates::is_json(format)) {
    Value list = Value::list();
    for (const Value& object : objects) list.push_back(object);
    out.line(render_json_indented(list, 4));
    return;
  }
  out.append(templates::render_report({.name = "inspect", .is_list = false}, format, objects));
}

// What is found is shown even when something else is missing.
int inspect_all(const Invocation& invocation, const Arguments& arguments,
                const std::vector<std::string>& names, const Find& find, std::string_view kind) {
  std::vector<Value> objects;
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    auto object = find(name);
    if (object) {
      objects.push_back(std::move(*object));
    } else {
      missing.push_back(name);
    }
  }
  print_objects(invocation.out, arguments.text("format"), objects);
  invocation.out.flush();
  for (const std::string& name : missing)
    print_error(NotFound(concat("no such ", kind, ": ", quote_go(name))));
  return missing.empty() ? 0 : engine_failure;
}

std::vector<std::string> names_or_latest(const engine::Engine& engine, const Arguments& arguments) {
  if (!arguments.boolean("latest")) {
    if (arguments.positional().empty()) throw UsageError("names or IDs must be specified");
    return arguments.positional();
  }
  if (!arguments.positional().empty()) throw UsageError("no names are allowed with --latest");
  return {latest_container(engine)};
}

constexpr auto inspect_flags = std::to_array<Flag>({
    format_flag,
    latest_flag,
    size_flag,
    text_flag("type", 't', "KIND", "What to look for: all, container, image, volume or network")
        .with_default("all")
        .one_of("all container image volume network"),
});
static_assert(is_well_formed(inspect_flags));

int run_inspect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::string type = arguments.boolean("latest") ? "container" : arguments.text("type");
  return inspect_all(invocation, arguments, names_or_latest(engine, arguments),
                     find_by_type(engine, type, arguments.boolean("size")), type == "all" ? "object" : type);
}

constexpr auto container_inspect_flags = std::to_array<Flag>({format_flag, latest_flag, size_flag});

int run_container_inspect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  return inspect_all(invocation, arguments, names_or_latest(engine, arguments),
                     find_by_type(engine, "container", arguments.boolean("size")), "container");
}

constexpr auto image_inspect_flags = std::to_array<Flag>({format_flag});

int run_image_inspect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  return inspect_all(invocation, arguments, arguments.positional(), find_by_type(engine, "image"), "image");
}

constexpr auto volume_inspect_flags = std::to_array<Flag>({
    toggle("all", 'a', "Show all volumes"),
    format_flag,
});

int run_volume_inspect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  std::vector<std::string> names = arguments.positional();
  if (arguments.boolean("all")) {
    if (!names.empty()) throw UsageError("no names are allowed with --all");
    for (const storage::Volume& volume : engine.volumes().list_volumes()) names.push_back(volume.name);
  } else if (names.empty()) {
    throw UsageError("volume names must be specified");
  }
  return inspect_all(invocation, arguments, names, find_by_type(engine, "volume"), "volume");
}

constexpr auto network_inspect_flags = std::to_array<Flag>({format_flag});

int run_network_inspect(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  return inspect_all(invocation, arguments, arguments.positional(), find_by_type(engine, "network"),
                     "network");
}

}  // namespace

constinit const Verb inspect_verb = {
    .paths = {"inspect"},
    .usage = "[options] CONTAINER|IMAGE|VOLUME|NETWORK [...]",
    .summary = "Show all that is known of an object",
    .description =
        "Of objects with the same name the container comes first, then the image, the volume, the network.",
    .examples = "inspect web\ninspect -f '{{.State.Status}} {{.State.ExitCode}}' web",
    .flags = inspect_flags,
    .completion = Completion::objects,
    .run = run_inspect,
};

constinit const Verb container_inspect_verb = {
    .paths = {"container inspect"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Show all that is known of containers",
    .examples = "container inspect web",
    .flags = container_inspect_flags,
    .completion = Completion::containers,
    .run = run_container_inspect,
};

constinit const Verb image_inspect_verb = {
    .paths = {"image inspect"},
    .usage = "[options] IMAGE [IMAGE...]",
    .summary = "Show all that is known of images",
    .examples = "image inspect -f '{{.Config.Cmd}}' debian:12",
    .flags = image_inspect_flags,
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_image_inspect,
};

constinit const Verb volume_inspect_verb = {
    .paths = {"volume inspect"},
    .usage = "[options] VOLUME [VOLUME...]",
    .summary = "Show all that is known of volumes",
    .examples = "volume inspect -f '{{.Mountpoint}}' data",
    .flags = volume_inspect_flags,
    .topic = Topic::volumes,
    .completion = Completion::volumes,
    .run = run_volume_inspect,
};

constinit const Verb network_inspect_verb = {
    .paths = {"network inspect"},
    .usage = "[options] NETWORK [NETWORK...]",
    .summary = "Show all that is known of networks, and the containers that run on them",
    .examples =
        "network inspect web\nnetwork inspect -f '{{range .Subnets}}{{.Subnet}} {{.Gateway}}{{end}}' web",
    .flags = network_inspect_flags,
    .min_arguments = 1,
    .topic = Topic::networks,
    .completion = Completion::networks,
    .run = run_network_inspect,
};

}  // namespace knarr::cli
