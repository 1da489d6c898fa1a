// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/container_list.h"
#include "cli/commands/disk_usage.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/image_view.h"
#include "cli/commands/verbs.h"
#include "cli/commands/volume_view.h"
#include "cli/log.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "cli/text.h"
#include "cli/units.h"
#include "engine/container_size.h"
#include "engine/measure.h"
#include "engine/time_format.h"
#include "storage/image/image_usage.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    list_format_flag,
    toggle("verbose", 'v', "Show each image, container and volume"),
});
static_assert(is_well_formed(flags));

// All that is in the store, with its sizes: those of layers are in the records, the others are measured.
struct Usage {
  std::vector<storage::Image> images;
  std::map<std::string, std::vector<std::string>> users_of_images;
  storage::ImagesUsage image_bytes;
  std::uint64_t copy_bytes = 0;  // of image_bytes, what copies with other owners take
  std::vector<ListedContainer> containers;
  std::map<std::string, engine::ContainerSize> container_sizes;
  std::vector<storage::Volume> volumes;
  std::map<std::string, std::vector<std::string>> users_of_volumes;
  std::vector<std::uint64_t> volume_bytes;
  std::uint64_t garbage_bytes = 0;
};

void measure_images(const engine::Engine& engine, Usage& usage) {
  usage.images = engine.images().list_images([](const Error& damage) { log_warning(damage.message()); });
  usage.users_of_images = containers_by_image(engine);
  std::set<std::string> used;
  for (const auto& [id, users] : usage.users_of_images) used.insert(id);
  usage.image_bytes = storage::measure_images(usage.images, used);
  const auto copies = engine.images().list_mapped_copies();
  std::vector<std::string> paths;
  for (const auto& copy : copies) paths.push_back(copy.path);
  const std::vector<std::uint64_t> sizes = engine::measure_in_store(engine, paths);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    usage.copy_bytes += sizes[i];
    if (!used.contains(copies[i].image_id)) usage.image_bytes.reclaimable += sizes[i];
  }
  usage.image_bytes.bytes += usage.copy_bytes;
}

void measure_containers(const engine::Engine& engine, Usage& usage) {
  usage.containers = list_containers(engine);
  sort_containers(usage.containers, "created");
  std::vector<std::string> ids;
  for (const ListedContainer& container : usage.containers) ids.push_back(container.summary.id);
  usage.container_sizes = engine::measure_containers(engine, ids);
}

void measure_volumes_and_garbage(const engine::Engine& engine, Usage& usage) {
  usage.volumes = list_healthy_volumes(engine);
  usage.users_of_volumes = containers_by_volume(engine);
  std::vector<std::string> paths;
  for (const storage::Volume& volume : usage.volumes)
    paths.push_back(concat("volumes/", volume.name, "/_data"));
  const std::vector<std::string> garbage = engine.store().find_garbage(storage::Store::Downloads::all);
  paths.insert(paths.end(), garbage.begin(), garbage.end());
  usage.volume_bytes = engine::measure_in_store(engine, paths);
  for (std::size_t i = usage.volumes.size(); i < paths.size(); ++i)
    usage.garbage_bytes += usage.volume_bytes[i];
}

Usage measure(const engine::Engine& engine) {
  Usage usage;
  measure_images(engine, usage);
  measure_containers(engine, usage);
  measure_volumes_and_garbage(engine, usage);
  return usage;
}

// ---- the summary ----

UsageRow image_row(const Usage& usage) {
  const auto is_used = [&](const storage::Image& image) { return usage.users_of_images.contains(image.id); };
  return {
      .type = "Images",
      .total = usage.images.size(),
      .active = static_cast<std::size_t>(std::count_if(usage.images.begin(), usage.images.end(), is_used)),
      .bytes = usage.image_bytes.bytes,
      .reclaimable = usage.image_bytes.reclaimable};
}

std::uint64_t written_bytes(const Usage& usage, const std::string& id) {
  const auto found = usage.container_sizes.find(id);
  return found == usage.container_sizes.end() ? 0 : found->second.written;
}

UsageRow container_row(const Usage& usage) {
  UsageRow row{.type = "Containers", .total = usage.containers.size()};
  for (const ListedContainer& container : usage.containers) {
    const std::uint64_t bytes = written_bytes(usage, container.summary.id);
    row.bytes += bytes;
    if (container.status.state == engine::State::running) {
      ++row.active;
    } else {
      row.reclaimable += bytes;
    }
  }
  return row;
}

UsageRow volume_row(const Usage& usage) {
  UsageRow row{.type = "Local Volumes", .total = usage.volumes.size()};
  for (std::size_t i = 0; i < usage.volumes.size(); ++i) {
    row.bytes += usage.volume_bytes[i];
    if (usage.users_of_volumes.contains(usage.volumes[i].name)) {
      ++row.active;
    } else {
      row.reclaimable += usage.volume_bytes[i];
    }
  }
  return row;
}

void print_formatted(Output& out, const std::string& format, const std::vector<UsageRow>& rows) {
  std::vector<templates::Value> values;
  for (const UsageRow& row : rows) values.push_back(usage_value(row));
  if (templates::is_json(format)) {
    templates::Value list = templates::Value::list();
    for (const templates::Value& value : values) list.push_back(value);
    out.line(render_json_indented(list, 4));
    return;
  }
  out.append(render_report({.name = "df"}, format, values));
}

// ---- each object ----

std::string show_age(std::int64_t created_ns) {
  return engine::human_duration(engine::wall_clock_ns() - created_ns) + " ago";
}

std::size_t count_users(const std::map<std::string, std::vector<std::string>>& users,
                        const std::string& key) {
  const auto found = users.find(key);
  return found == users.end() ? 0 : found->second.size();
}

std::string render_images(const Usage& usage) {
  std::vector<std::vector<std::string>> table = {
      {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"}};
  for (std::size_t i = 0; i < usage.images.size(); ++i) {
    const storage::Image& image = usage.images[i];
    const storage::ImageUsage& bytes = usage.image_bytes.images[i];
    const ImageName name = split_image_name(image.names.empty() ? "" : image.names.front());
    table.push_back({name.repository, name.tag, short_id(image.id), show_age(image_created_ns(image)),
                     compact_size(bytes.shared + bytes.unique), compact_size(bytes.shared),
                     compact_size(bytes.unique),
                     std::to_string(count_users(usage.users_of_images, image.id))});
  }
  return render_table(table);
}

std::size_t count_volumes_of(const Usage& usage, const std::string& id) {
  return static_cast<std::size_t>(
      std::count_if(usage.users_of_volumes.begin(), usage.users_of_volumes.end(),
                    [&](const auto& volume) { return contains(volume.second, id); }));
}

std::string render_containers(const Usage& usage) {
  std::vector<std::vector<std::string>> table = {
      {"CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"}};
  for (const ListedContainer& container : usage.containers) {
    const engine::Summary& summary = container.summary;
    table.push_back({short_id(summary.id), short_id(summary.image_id), summary.command,
                     std::to_string(count_volumes_of(usage, summary.id)),
                     compact_size(written_bytes(usage, summary.id)), show_age(container.created_ns),
                     std::string(engine::state_name(container.status.state)), summary.name});
  }
  return render_table(table);
}

std::string render_volumes(const Usage& usage) {
  std::vector<std::vector<std::string>> table = {{"VOLUME NAME", "LINKS", "SIZE"}};
  for (std::size_t i = 0; i < usage.volumes.size(); ++i) {
    const std::string& name = usage.volumes[i].name;
    table.push_back({name, std::to_string(count_users(usage.users_of_volumes, name)),
                     compact_size(usage.volume_bytes[i])});
  }
  return render_table(table);
}

void print_verbose(Output& out, const Usage& usage) {
  out.append("Images space usage:\n\n" + render_images(usage));
  out.append("\nContainers space usage:\n\n" + render_containers(usage));
  out.append("\nLocal Volumes space usage:\n\n" + render_volumes(usage));
  if (usage.copy_bytes != 0)
    out.line("\nCopies of images for other id maps: ", compact_size(usage.copy_bytes));
  if (usage.garbage_bytes != 0)
    out.line("\nLeft by commands that were ended, or being deleted: ", compact_size(usage.garbage_bytes));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const auto format = list_format(arguments);
  const bool verbose = arguments.boolean("verbose");
  if (format && verbose) throw UsageError("cannot combine --format and --verbose flags");
  const engine::Engine engine = open_engine(invocation);
  const Usage usage = measure(engine);
  const std::vector<UsageRow> rows = {image_row(usage), container_row(usage), volume_row(usage)};
  if (verbose) {
    print_verbose(invocation.out, usage);
  } else if (format) {
    print_formatted(invocation.out, *format, rows);
  } else {
    invocation.out.append(render_usage_table(rows));
  }
  return 0;
}

}  // namespace

constinit const Verb system_df_verb = {
    .paths = {"system df"},
    .usage = "[options]",
    .summary = "Show how much room images, containers and volumes take",
    .description =
        "A layer that several images share counts once. Active are images and volumes that a container has,\n"
        "and containers that run; the rest can be reclaimed (see 'system prune').",
    .examples = "system df\nsystem df -v\nsystem df --format '{{.Type}} {{.Size}}'",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = run,
};

}  // namespace knarr::cli
