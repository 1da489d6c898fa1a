// SPDX-License-Identifier: Apache-2.0
// mount, unmount, image mount, image unmount
#include <algorithm>

#include "cli/commands/engine_access.h"
#include "cli/commands/image_view.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "engine/host_mounts.h"
#include "engine/images.h"

namespace knarr::cli {

namespace {

using engine::HostMount;
using engine::MountedKind;
using templates::Value;

constexpr Flag format_flag =
    text_flag("format", 0, "FORMAT", "json, for the mounted trees as JSON").one_of("json");
constexpr Flag force_flag = toggle("force", 'f', "Unmount as often as it is mounted, whoever uses it");

constexpr auto mount_flags = std::to_array<Flag>({
    toggle("all", 'a', "Mount all containers"),
    format_flag,
    latest_flag,
    toggle("no-trunc", 0, "Show all of the IDs").also("notruncate"),
});
constexpr auto unmount_flags = std::to_array<Flag>({
    toggle("all", 'a', "Unmount all that are mounted"),
    force_flag,
    latest_flag,
});
constexpr auto image_mount_flags = std::to_array<Flag>({
    toggle("all", 'a', "Mount all images"),
    format_flag,
});
constexpr auto image_unmount_flags = std::to_array<Flag>({
    toggle("all", 'a', "Unmount all that are mounted"),
    force_flag,
});
static_assert(is_well_formed(mount_flags) && is_well_formed(unmount_flags));

// A mounted tree, and what it is called in a list.
struct Row {
  HostMount mount;
  std::string title;
  std::vector<std::string> names;
};

bool wants_json(const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (!format.empty() && !templates::is_json(format))
    throw UsageError(concat("unknown format \"", format, "\": it is json"));
  return !format.empty();
}

void print(Output& out, const Arguments& arguments, const std::vector<Row>& rows) {
  if (wants_json(arguments)) {
    Value list = Value::list();
    for (const Row& row : rows) {
      list.push_back(Value::structure("Mount")
                         .set("id", row.mount.id)
                         .set("Names", row.names)
                         .set("mountpoint", row.mount.path));
    }
    return out.line(render_json_indented(list, 1));
  }
  // Of one that was asked for only the place is of interest: $(knarr mount web).
  if (arguments.positional().size() == 1 || (arguments.knows("latest") && arguments.boolean("latest")))
    return out.line(rows.at(0).mount.path);
  std::vector<std::vector<std::string>> table;
  for (const Row& row : rows) table.push_back({row.title, row.mount.path});
  out.append(render_table(table));
}

void check_names(const Arguments& arguments, bool needed) {
  const bool chosen = arguments.boolean("all") || (arguments.knows("latest") && arguments.boolean("latest"));
  if (chosen && !arguments.positional().empty())
    throw UsageError("names and --all or --latest exclude each other");
  if (needed && !chosen && arguments.positional().empty())
    throw UsageError("requires a name or ID, or --all");
}

// ---- containers ----

Row container_row(const engine::Engine& engine, const Arguments& arguments, HostMount mount) {
  Row row{.mount = std::move(mount), .title = {}, .names = {}};
  row.title = arguments.boolean("no-trunc") ? row.mount.id : short_id(row.mount.id);
  if (engine.containers().find_id(row.mount.id)) row.names = {engine.load_config(row.mount.id).name};
  return row;
}

std::vector<std::string> named_containers(const engine::Engine& engine, const Arguments& arguments) {
  std::vector<std::string> ids;
  if (arguments.boolean("latest")) return {latest_container(engine)};
  for (const std::string& name : arguments.positional()) ids.push_back(engine.containers().get_id(name));
  return ids;
}

int run_mount(const Invocation& invocation, const Arguments& arguments) {
  check_names(arguments, false);
  const engine::Engine engine = open_engine(invocation);
  std::vector<std::string> ids = named_containers(engine, arguments);
  if (arguments.boolean("all")) {
    for (const storage::ContainerEntry& entry : engine.containers().list()) ids.push_back(entry.id);
  }
  std::vector<HostMount> mounts;
  for (const std::string& id : ids) mounts.push_back(engine::mount_container(engine, id));
  const bool lists = ids.empty() && !arguments.boolean("all");
  if (lists) mounts = engine::list_mounted(engine, MountedKind::container);
  std::vector<Row> rows;
  for (HostMount& mount : mounts) rows.push_back(container_row(engine, arguments, std::move(mount)));
  print(invocation.out, arguments, rows);
  return 0;
}

int run_unmount(const Invocation& invocation, const Arguments& arguments) {
  check_names(arguments, true);
  const engine::Engine engine = open_engine(invocation);
  std::vector<std::string> ids = named_containers(engine, arguments);
  if (arguments.boolean("all")) {
    for (const HostMount& mount : engine::list_mounted(engine, MountedKind::container))
      ids.push_back(mount.id);
  }
  for (const std::string& id : ids) {
    engine::unmount(engine, MountedKind::container, id, arguments.boolean("force"));
    invocation.out.line(id);
  }
  return 0;
}

// ---- images ----

Row image_row(const engine::Engine& engine, HostMount mount) {
  Row row{.mount = std::move(mount), .title = {}, .names = {}};
  if (const auto image = engine::find_image(engine, row.mount.id)) row.names = image->names;
  row.title = row.names.empty() ? row.mount.id : row.names.front();
  return row;
}

int run_image_mount(const Invocation& invocation, const Arguments& arguments) {
  check_names(arguments, false);
  const engine::Engine engine = open_engine(invocation);
  std::vector<storage::Image> images;
  for (const std::string& name : arguments.positional()) images.push_back(engine::get_image(engine, name));
  if (arguments.boolean("all")) images = engine::list_images(engine);
  std::vector<HostMount> mounts;
  for (const storage::Image& image : images) mounts.push_back(engine::mount_image(engine, image));
  const bool lists = images.empty() && !arguments.boolean("all");
  if (lists) mounts = engine::list_mounted(engine, MountedKind::image);
  std::vector<Row> rows;
  for (HostMount& mount : mounts) rows.push_back(image_row(engine, std::move(mount)));
  print(invocation.out, arguments, rows);
  return 0;
}

int run_image_unmount(const Invocation& invocation, const Arguments& arguments) {
  check_names(arguments, true);
  const engine::Engine engine = open_engine(invocation);
  std::vector<std::string> ids;
  for (const std::string& name : arguments.positional()) ids.push_back(engine::get_image(engine, name).id);
  if (arguments.boolean("all")) {
    for (const HostMount& mount : engine::list_mounted(engine, MountedKind::image)) ids.push_back(mount.id);
  }
  for (const std::string& id : ids) {
    engine::unmount(engine, MountedKind::image, id, arguments.boolean("force"));
    invocation.out.line(id);
  }
  return 0;
}

constexpr std::string_view where =
    "An ordinary user does this in a shell of 'knarr unshare', and the mounts end with it. Mounted twice, a "
    "tree\n"
    "has to be unmounted twice. Without a name, lists what is mounted.";

}  // namespace

constinit const Verb mount_verb = {
    .paths = {"mount", "container mount"},
    .usage = "[options] [CONTAINER...]",
    .summary = "Mount the files of containers, and print where",
    .description = where,
    .examples = "mount web\nunshare sh -c 'ls $(knarr mount web)/etc'",
    .flags = mount_flags,
    .completion = Completion::containers,
    .run = run_mount,
};

constinit const Verb unmount_verb = {
    .paths = {"unmount", "umount", "container unmount", "container umount"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Unmount the files of containers",
    .examples = "unmount web\nunmount --all",
    .flags = unmount_flags,
    .completion = Completion::containers,
    .run = run_unmount,
};

constinit const Verb image_mount_verb = {
    .paths = {"image mount"},
    .usage = "[options] [IMAGE...]",
    .summary = "Mount the files of images read-only, and print where",
    .description = where,
    .examples = "unshare sh -c 'ls $(knarr image mount debian:12)/etc'",
    .flags = image_mount_flags,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_image_mount,
};

constinit const Verb image_unmount_verb = {
    .paths = {"image unmount", "image umount"},
    .usage = "[options] IMAGE [IMAGE...]",
    .summary = "Unmount the files of images",
    .examples = "image unmount debian:12",
    .flags = image_unmount_flags,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_image_unmount,
};

}  // namespace knarr::cli
