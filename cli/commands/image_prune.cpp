// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/filter.h"
#include "cli/commands/image_removal.h"
#include "cli/commands/image_view.h"
#include "cli/commands/verbs.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove all images that no container uses, not only those without a name"),
    toggle("build-cache", 0, "Remove the build cache").not_yet().unlisted(),
    toggle("external", 0, "Remove images that only other programs' containers use").not_yet(),
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match: label=, label!=, until="),
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(flags));

bool matches(const Filters& filters, const storage::Image& image) {
  for (const auto& [name, values] : filters) {
    for (const std::string& value : values) {
      if (name == "label" && !has_label(image.config.labels, value)) return false;
      if (name == "label!" && has_label(image.config.labels, value)) return false;
      if (name == "until" && image_created_ns(image) >= parse_filter_time(value)) return false;
    }
  }
  return true;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const Filters filters = parse_filters(arguments.list("filter"), "label label! until");
  const bool all = arguments.boolean("all");
  const engine::Engine engine = open_engine(invocation);
  const std::string_view warning =
      all ? "WARNING! This will remove all images without at least one container associated to them."
          : "WARNING! This will remove all dangling images.";
  if (!arguments.boolean("force") && !confirm(invocation.out, warning)) return 0;
  const auto used = containers_by_image(engine);
  for (const storage::Image& image : engine.images().list_images()) {
    if ((!all && !image.names.empty()) || used.contains(image.id) || !matches(filters, image)) continue;
    try {
      invocation.out.line(remove_whole_image(engine, image, false).deleted);
    } catch (const Conflict&) {
      // A container was made from it since we looked.
    }
  }
  return 0;
}

}  // namespace

constinit const Verb image_prune_verb = {
    .paths = {"image prune"},
    .usage = "[options]",
    .summary = "Remove unused images",
    .examples = "image prune -a -f",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::images,
    .run = run,
};

}  // namespace knarr::cli
