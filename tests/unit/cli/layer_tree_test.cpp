// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/layer_tree.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

storage::Image image(const std::string& name, const std::vector<std::string>& layers) {
  storage::Image made;
  if (!name.empty()) made.names = {name};
  for (const std::string& layer : layers) {
    made.layers.push_back({"sha256", layer + std::string(64 - layer.size(), '0')});
    made.layer_sizes.push_back(1000 * layer.size());
  }
  return made;
}

TEST(LayerTree, OfAnImageIsOneRowAndNamesWhoEndsWhere) {
  const storage::Image app = image("app:1", {"a", "b", "c"});
  EXPECT_EQ(render_layer_tree(layers_of(app, {app, image("base:1", {"a"}), image("other:1", {"b"})})),
            "├── ID: a00000000000 Size:    1 kB Top Layer of: [base:1]\n"
            "├── ID: b00000000000 Size:    1 kB\n"
            "└── ID: c00000000000 Size:    1 kB Top Layer of: [app:1]\n");
}

TEST(LayerTree, OfWhatIsBuiltOnAnImageBranches) {
  const storage::Image base = image("base:1", {"a"});
  const std::vector<storage::Image> all = {base, image("deep:1", {"a", "b", "c"}),
                                           image("deep:2", {"a", "b"}), image("", {"a", "d"}),
                                           image("stranger:1", {"e", "a"})};
  EXPECT_EQ(render_layer_tree(layers_built_on(base, all)),
            "└── ID: a00000000000 Size:    1 kB Top Layer of: [base:1]\n"
            "    ├── ID: b00000000000 Size:    1 kB Top Layer of: [deep:2]\n"
            "    │   └── ID: c00000000000 Size:    1 kB Top Layer of: [deep:1]\n"
            "    └── ID: d00000000000 Size:    1 kB\n");
}

TEST(LayerTree, OfAnImageWithoutLayersIsEmpty) {
  EXPECT_EQ(render_layer_tree(layers_built_on(image("none:1", {}), {})), "");
}

}  // namespace
}  // namespace knarr::cli
