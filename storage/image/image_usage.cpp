// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_usage.h"

#include <algorithm>
#include <map>

namespace knarr::storage {
namespace {

struct LayerUsage {
  std::uint64_t bytes = 0;
  std::size_t images = 0;
  bool is_used = false;
};

// An image may have one layer twice: it lies in the store once.
std::map<Digest, std::uint64_t> distinct_layers(const Image& image) {
  std::map<Digest, std::uint64_t> layers;
  const std::size_t count = std::min(image.layers.size(), image.layer_sizes.size());
  for (std::size_t i = 0; i < count; ++i) layers[image.layers[i]] = image.layer_sizes[i];
  return layers;
}

std::map<Digest, LayerUsage> count_layers(const std::vector<Image>& images,
                                          const std::set<std::string>& used) {
  std::map<Digest, LayerUsage> layers;
  for (const Image& image : images) {
    for (const auto& [layer, bytes] : distinct_layers(image)) {
      LayerUsage& usage = layers[layer];
      usage.bytes = bytes;
      ++usage.images;
      usage.is_used = usage.is_used || used.contains(image.id);
    }
  }
  return layers;
}

}  // namespace

ImagesUsage measure_images(const std::vector<Image>& images, const std::set<std::string>& used) {
  const std::map<Digest, LayerUsage> layers = count_layers(images, used);
  ImagesUsage usage;
  for (const Image& image : images) {
    ImageUsage& one = usage.images.emplace_back();
    for (const auto& [layer, bytes] : distinct_layers(image)) {
      (layers.at(layer).images > 1 ? one.shared : one.unique) += bytes;
    }
  }
  for (const auto& [layer, one] : layers) {
    usage.bytes += one.bytes;
    if (!one.is_used) usage.reclaimable += one.bytes;
  }
  return usage;
}

}  // namespace knarr::storage
