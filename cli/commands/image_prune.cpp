// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/image_removal.h"
#include "cli/commands/unused.h"
#include "cli/commands/verbs.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove all images that no container uses, not only those without a name"),
    toggle("build-cache", 0, "Remove the build cache").not_yet().unlisted(),
    toggle("external", 0, "Remove images that only other programs' containers use, too; there are none here"),
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match: label=, label!=, until="),
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const Filters filters = parse_filters(arguments.list("filter"), prune_filters);
  const bool all = arguments.boolean("all");
  const engine::Engine engine = open_engine(invocation);
  const std::string_view warning =
      all ? "WARNING! This will remove all images without at least one container associated to them."
          : "WARNING! This will remove all dangling images.";
  if (!arguments.boolean("force") && !confirm(invocation.out, warning)) return 0;
  for (const storage::Image& image : unused_images(engine, filters, all)) {
    try {
      remove_unused_image(engine, image);
      invocation.out.line(image.id);
    } catch (const Conflict&) {
      // A container was made from it since we looked.
    }
  }
  sweep_images(engine);
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
