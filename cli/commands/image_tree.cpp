// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/engine_access.h"
#include "cli/commands/layer_tree.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"
#include "engine/images.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("whatrequires", 0, "Show the images and layers that are built on the image"),
});
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::Image image = engine::get_image(engine, arguments.at(0));
  const std::vector<storage::Image> all = engine::list_images(engine);
  Output& out = invocation.out;
  out.line("Image ID: ", short_id(image.id));
  out.line("Tags:     [", join(image.names, " "), "]");
  out.line("Size:     ", human_size(image.size));
  out.line(image.layers.empty() ? "No Image Layers" : "Image Layers");
  out.append(render_layer_tree(arguments.boolean("whatrequires") ? layers_built_on(image, all)
                                                                 : layers_of(image, all)));
  return 0;
}

}  // namespace

constinit const Verb image_tree_verb = {
    .paths = {"image tree"},
    .usage = "[options] IMAGE",
    .summary = "Show the layers of an image",
    .description =
        "Layers are called by the beginnings of their diffIDs, lowest first, with the images that "
        "end with them.",
    .examples = "image tree debian:12\nimage tree --whatrequires debian:12",
    .flags = flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run,
};

}  // namespace knarr::cli
