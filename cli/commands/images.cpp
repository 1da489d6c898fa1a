// SPDX-License-Identifier: Apache-2.0
#include "engine/images.h"

#include <algorithm>
#include <set>

#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/image_filter.h"
#include "cli/commands/image_view.h"
#include "cli/commands/verbs.h"
#include "cli/log.h"
#include "cli/quote.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "cli/text.h"
#include "cli/units.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr std::string_view sort_keys = "created id repository size tag";

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Show intermediate images too; this store has none"),
    toggle("digests", 0, "Show the digests of the manifests"),
    array_flag("filter", 'f', "NAME=VALUE", "Show the images that match"),
    list_format_flag,
    toggle("history", 0, "Show the names an image had").not_yet(),
    toggle("no-trunc", 0, "Show all of the IDs"),
    toggle("noheading", 'n', "Leave the titles out").also("no-heading"),
    toggle("quiet", 'q', "Show IDs only"),
    text_flag("sort", 0, "COLUMN", "Sort by created, id, repository, size or tag")
        .with_default("created")
        .one_of(sort_keys),
});
static_assert(is_well_formed(flags));

// A row of the list: an image under one of its names.
struct Row {
  const storage::Image* image;
  ImageName name;
};

std::vector<Row> make_rows(const std::vector<storage::Image>& images) {
  std::vector<Row> rows;
  for (const storage::Image& image : images) {
    if (image.names.empty()) rows.push_back({&image, split_image_name("")});
    for (const std::string& name : image.names) rows.push_back({&image, split_image_name(name)});
  }
  return rows;
}

// "created": newest first, the others ascending.
void sort_rows(std::vector<Row>& rows, const std::string& key) {
  if (!contains(split(sort_keys, " "), key)) {
    throw UsageError(concat("invalid argument ", quote_go(key), " for \"--sort\" flag: choose from ",
                            join(split(sort_keys, " "), ", ")));
  }
  const auto sort_by = [&](auto value) {
    std::stable_sort(rows.begin(), rows.end(),
                     [&](const Row& a, const Row& b) { return value(a) < value(b); });
  };
  sort_by([](const Row& row) { return -image_created_ns(*row.image); });
  if (key == "id") sort_by([](const Row& row) { return row.image->id; });
  if (key == "repository") sort_by([](const Row& row) { return row.name.repository; });
  if (key == "size") sort_by([](const Row& row) { return row.image->size; });
  if (key == "tag") sort_by([](const Row& row) { return row.name.tag; });
}

std::string show_id(const storage::Image& image, bool full) {
  return full ? "sha256:" + image.id : short_id(image.id);
}

std::string show_digest(const storage::Image& image) {
  return image.manifest.hex.empty() ? "<none>" : render(image.manifest);
}

std::string show_age(const storage::Image& image) {
  return engine::human_duration(engine::wall_clock_ns() - image_created_ns(image)) + " ago";
}

void print_ids(Output& out, const std::vector<Row>& rows, bool full) {
  std::vector<std::string> seen;
  for (const Row& row : rows) {
    if (contains(seen, row.image->id)) continue;
    seen.push_back(row.image->id);
    out.line(show_id(*row.image, full));
  }
}

bool is_read_only(const Row& row) {
  return !row.image->store.empty();
}

// Only where there is one, as podman has it.
void add_read_only_column(std::vector<std::vector<std::string>>& table, const std::vector<Row>& rows) {
  if (std::none_of(rows.begin(), rows.end(), is_read_only)) return;
  const std::size_t titles = table.size() - rows.size();
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i].push_back(i < titles ? "R/O" : is_read_only(rows[i - titles]) ? "true" : "false");
  }
}

void print_table(Output& out, const std::vector<Row>& rows, const Arguments& arguments) {
  const bool digests = arguments.boolean("digests");
  std::vector<std::vector<std::string>> table;
  if (!arguments.boolean("noheading")) table.push_back({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
  for (const Row& row : rows) {
    table.push_back({row.name.repository, row.name.tag, show_id(*row.image, arguments.boolean("no-trunc")),
                     show_age(*row.image), human_size(row.image->size)});
  }
  if (digests) {
    const std::size_t titles = table.size() - rows.size();
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i].insert(table[i].begin() + 2, i < titles ? "DIGEST" : show_digest(*rows[i - titles].image));
    }
  }
  add_read_only_column(table, rows);
  out.append(render_table(table));
}

Value json_image(const storage::Image& image, std::size_t containers) {
  Value value = Value::structure("Image");
  value.set("Id", image.id)
      .set("ParentId", "")
      .set("RepoTags", repository_tags(image))
      .set("RepoDigests", repository_digests(image))
      .set("Size", image.size)
      .set("SharedSize", 0)
      .set("VirtualSize", image.size)
      .set("Labels", image.config.labels)
      .set("Containers", containers)
      .set("Digest", show_digest(image))
      .set("History", image.names)
      .set("Names", image.names);
  if (image.names.empty()) value.set("Dangling", true);
  if (!image.store.empty()) value.set("ReadOnly", true);
  if (is_list(image)) value.set("IsManifestList", true);
  value.set("Created", image_created_ns(image) / engine::ns_per_second)
      .set("CreatedAt", Value::time(image_created_ns(image)));
  return value;
}

Value template_row(const Row& row, std::size_t containers, bool full) {
  const storage::Image& image = *row.image;
  Value value = Value::structure("Image");
  value.set("ID", show_id(image, full))
      .set("Id", show_id(image, full))
      .set("Repository", row.name.repository)
      .set("Tag", row.name.tag)
      .set("Digest", show_digest(image))
      .set("Created", show_age(image))
      .set("CreatedSince", show_age(image))
      .set("CreatedAt", Value::time(image_created_ns(image)))
      .set("CreatedTime", Value::time(image_created_ns(image)))
      .set("Size", human_size(image.size))
      .set("VirtualSize", image.size)
      .set("SharedSize", 0)
      .set("Names", image.names)
      .set("RepoTags", repository_tags(image))
      .set("RepoDigests", repository_digests(image))
      .set("Labels", image.config.labels)
      .set("Containers", containers)
      .set("History", join(image.names, ", "))
      .set("ParentId", "")
      .set("Dangling", image.names.empty())
      .set("ReadOnly", !image.store.empty())
      .set("IsManifestList", is_list(image));
  return value;
}

void print_formatted(const engine::Engine& engine, const std::string& format, Output& out,
                     const std::vector<Row>& rows, const Arguments& arguments) {
  const auto by_image = containers_by_image(engine);
  const auto count = [&](const storage::Image& image) {
    const auto found = by_image.find(image.id);
    return found == by_image.end() ? std::size_t{0} : found->second.size();
  };
  if (templates::is_json(format)) {
    Value list = Value::list();
    std::set<const storage::Image*> seen;  // an image is shown once, not once a name
    for (const Row& row : rows) {
      if (seen.insert(row.image).second) list.push_back(json_image(*row.image, count(*row.image)));
    }
    out.line(render_json_indented(list, 4));
    return;
  }
  const templates::Report report{
      .name = "images",
      .titles = {{"ID", "IMAGE ID"}, {"Id", "IMAGE ID"}, {"CreatedSince", "CREATED"}, {"ReadOnly", "R/O"}},
      .with_titles = !arguments.boolean("noheading")};
  std::vector<Value> values;
  for (const Row& row : rows) {
    values.push_back(template_row(row, count(*row.image), arguments.boolean("no-trunc")));
  }
  out.append(render_report(report, format, values));
}

std::vector<storage::Image> list_images_and_lists(const engine::Engine& engine) {
  const auto warn = [](const Error& damage) { log_warning(damage.message()); };
  std::vector<storage::Image> images = engine::list_images(engine, warn);
  for (const storage::ManifestList& list : storage::ManifestListStore(engine.store()).list_lists(warn))
    images.push_back(as_image(list));
  return images;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::vector<storage::Image> images =
      filter_images(engine, list_images_and_lists(engine), arguments.list("filter"));
  std::vector<Row> rows = make_rows(images);
  if (!arguments.positional().empty()) {
    const std::string& wanted = arguments.at(0);
    std::erase_if(rows, [&](const Row& row) {
      storage::Image named;
      named.names = {concat(row.name.repository, ':', row.name.tag)};
      return !matches_reference(named, wanted);
    });
  }
  sort_rows(rows, arguments.text("sort"));
  const auto format = list_format(arguments);
  if (arguments.boolean("quiet")) {
    print_ids(invocation.out, rows, arguments.boolean("no-trunc"));
  } else if (format) {
    print_formatted(engine, *format, invocation.out, rows, arguments);
  } else {
    print_table(invocation.out, rows, arguments);
  }
  return 0;
}

}  // namespace

constinit const Verb images_verb = {
    .paths = {"images", "image ls", "image list"},
    .usage = "[options] [NAME]",
    .summary = "List images and manifest lists",
    .examples =
        "images\nimages --filter dangling=true -q\nimages --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    .flags = flags,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run,
};

}  // namespace knarr::cli
