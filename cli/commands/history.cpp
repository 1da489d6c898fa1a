// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/image_view.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "cli/units.h"
#include "engine/images.h"
#include "engine/time_format.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr std::size_t command_width = 45;

constexpr auto flags = std::to_array<Flag>({
    list_format_flag,
    toggle("human", 'H', "Show sizes and dates for people").with_default("true"),
    toggle("no-trunc", 0, "Show all of IDs and commands"),
    toggle("quiet", 'q', "Show IDs only"),
});
static_assert(is_well_formed(flags));

struct Entry {
  std::string id;                 // of the image that ends here, else "<missing>": a layer is no image
  std::vector<std::string> tags;  // its names
  std::int64_t created_ns = 0;
  std::string created_by, comment;
  std::uint64_t size = 0;
};

// Topmost first. Entries without a layer have no size.
std::vector<Entry> make_entries(const storage::Image& image, const std::vector<storage::Image>& all) {
  std::vector<Entry> entries;
  std::size_t layer = 0;
  for (const storage::ImageHistory& step : image.history) {
    Entry entry;
    entry.id = "<missing>";
    entry.created_ns = engine::parse_rfc3339(step.created).value_or(0);
    entry.created_by = step.created_by;
    entry.comment = step.comment;
    if (!step.empty_layer && layer < image.layer_sizes.size()) entry.size = image.layer_sizes[layer++];
    entries.push_back(std::move(entry));
  }
  if (entries.empty())
    entries.push_back({.created_ns = engine::parse_rfc3339(image.created).value_or(0), .size = image.size});
  for (const storage::Image& other : all) {
    if (!is_made_of(image, other)) continue;
    Entry& entry = entries[other.history.size() - 1];
    if (entry.id == "<missing>") entry.id = other.id;
    entry.tags.insert(entry.tags.end(), other.names.begin(), other.names.end());
  }
  entries.back().id = image.id;
  entries.back().tags = image.names;
  std::reverse(entries.begin(), entries.end());
  return entries;
}

struct Style {
  bool full, human;
};

std::string show_id(const Entry& entry, const Style& style) {
  return style.full || entry.id == "<missing>" ? entry.id : short_id(entry.id);
}
std::string show_created(const Entry& entry, const Style& style) {
  if (!style.human) return engine::render_rfc3339_nano(entry.created_ns, engine::TimeZone::utc);
  return engine::human_duration(engine::wall_clock_ns() - entry.created_ns) + " ago";
}
std::string show_command(const Entry& entry, const Style& style) {
  return style.full ? entry.created_by : shorten(entry.created_by, command_width);
}
std::string show_size(const Entry& entry, const Style& style) {
  return style.human ? human_size(entry.size) : std::to_string(entry.size);
}

Value json_entry(const Entry& entry) {
  Value value = Value::structure("History")
                    .set("id", entry.id)
                    .set("created", Value::time(entry.created_ns))
                    .set("CreatedBy", entry.created_by)
                    .set("size", entry.size)
                    .set("comment", entry.comment);
  if (!entry.tags.empty()) value.set("tags", entry.tags);
  return value;
}

Value template_entry(const Entry& entry, const Style& style) {
  return Value::structure("History")
      .set("ID", show_id(entry, style))
      .set("Created", show_created(entry, style))
      .set("CreatedAt", Value::time(entry.created_ns))
      .set("CreatedSince", show_created(entry, style))
      .set("CreatedBy", show_command(entry, style))
      .set("Size", show_size(entry, style))
      .set("Comment", entry.comment)
      .set("Tags", entry.tags);
}

void print_formatted(Output& out, const std::string& format, const std::vector<Entry>& entries,
                     const Style& style) {
  if (templates::is_json(format)) {
    Value list = Value::list();
    for (const Entry& entry : entries) list.push_back(json_entry(entry));
    out.line(render_json_indented(list, 4));
    return;
  }
  std::vector<Value> rows;
  for (const Entry& entry : entries) rows.push_back(template_entry(entry, style));
  out.append(templates::render_report({.name = "history"}, format, rows));
}

void print_table(Output& out, const std::vector<Entry>& entries, const Style& style) {
  std::vector<std::vector<std::string>> table = {{"ID", "CREATED", "CREATED BY", "SIZE", "COMMENT"}};
  for (const Entry& entry : entries) {
    table.push_back({show_id(entry, style), show_created(entry, style), show_command(entry, style),
                     show_size(entry, style), entry.comment});
  }
  out.append(render_table(table));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::vector<Entry> entries =
      make_entries(engine::get_image(engine, arguments.at(0)), engine::list_images(engine));
  const Style style{.full = arguments.boolean("no-trunc"), .human = arguments.boolean("human")};
  if (arguments.boolean("quiet")) {
    for (const Entry& entry : entries) invocation.out.line(show_id(entry, style));
  } else if (const auto format = list_format(arguments)) {
    print_formatted(invocation.out, *format, entries, style);
  } else {
    print_table(invocation.out, entries, style);
  }
  return 0;
}

}  // namespace

constinit const Verb history_verb = {
    .paths = {"history", "image history"},
    .usage = "[options] IMAGE",
    .summary = "Show how an image was made",
    .examples = "history debian:12",
    .flags = flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run,
};

}  // namespace knarr::cli
