// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/layer_tree.h"

#include <algorithm>

#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using storage::Image;

bool begins_with(const Image& image, const Image& other, std::size_t layers) {
  return image.layers.size() >= layers && other.layers.size() >= layers &&
         std::equal(image.layers.begin(), image.layers.begin() + static_cast<std::ptrdiff_t>(layers),
                    other.layers.begin());
}

std::vector<std::string> names_ending_at(const Image& image, std::size_t layers,
                                         const std::vector<Image>& all) {
  std::vector<std::string> names;
  for (const Image& other : all) {
    if (other.layers.size() == layers && begins_with(other, image, layers))
      names.insert(names.end(), other.names.begin(), other.names.end());
  }
  std::sort(names.begin(), names.end());
  return names;
}

LayerNode node_of(const Image& image, std::size_t layer, const std::vector<Image>& all) {
  return {.id = image.layers[layer].hex,
          .size = image.layer_sizes[layer],
          .top_of = names_ending_at(image, layer + 1, all),
          .above = {}};
}

// What the images have over the first `layers` of `image`, which they share.
std::vector<LayerNode> nodes_above(const Image& image, std::size_t layers, const std::vector<Image>& all) {
  std::vector<LayerNode> nodes;
  for (const Image& other : all) {
    if (other.layers.size() <= layers || !begins_with(other, image, layers)) continue;
    const std::string& id = other.layers[layers].hex;
    const auto same = [&id](const LayerNode& node) { return node.id == id; };
    if (std::any_of(nodes.begin(), nodes.end(), same)) continue;
    nodes.push_back(node_of(other, layers, all));
    nodes.back().above = nodes_above(other, layers + 1, all);
  }
  std::sort(nodes.begin(), nodes.end(), [](const LayerNode& a, const LayerNode& b) { return a.id < b.id; });
  return nodes;
}

std::string describe(const LayerNode& node) {
  const std::string size = human_size(node.size);
  constexpr std::size_t width = 7;
  std::string line = concat("ID: ", short_id(node.id),
                            " Size: ", std::string(size.size() < width ? width - size.size() : 0, ' '), size);
  if (!node.top_of.empty()) line += concat(" Top Layer of: [", join(node.top_of, " "), "]");
  return line;
}

void render(const std::vector<LayerNode>& nodes, const std::string& indent, std::string& text) {
  for (const LayerNode& node : nodes) {
    const bool is_last = &node == &nodes.back();
    text += concat(indent, is_last ? "└── " : "├── ", describe(node), '\n');
    render(node.above, indent + (is_last ? "    " : "│   "), text);
  }
}

}  // namespace

std::vector<LayerNode> layers_of(const Image& image, const std::vector<Image>& all) {
  std::vector<LayerNode> nodes;
  for (std::size_t layer = 0; layer < image.layers.size(); ++layer)
    nodes.push_back(node_of(image, layer, all));
  return nodes;
}

std::vector<LayerNode> layers_built_on(const Image& image, const std::vector<Image>& all) {
  if (image.layers.empty()) return {};
  LayerNode top = node_of(image, image.layers.size() - 1, all);
  top.above = nodes_above(image, image.layers.size(), all);
  return {std::move(top)};
}

std::string render_layer_tree(const std::vector<LayerNode>& nodes) {
  std::string text;
  render(nodes, "", text);
  return text;
}

}  // namespace knarr::cli
