// SPDX-License-Identifier: Apache-2.0
#include "engine/rootfs.h"

#include "rootless/sys/error.h"
#include "storage/layer/layer.h"

namespace knarr::engine {

namespace {

// Topmost first, as the kernel's overlay wants them.
std::vector<std::string> lower_directories(const Engine& engine, const ContainerConfig& config) {
  const storage::Image image = engine.images().get_image(config.image_id);
  const storage::LayerStore layers(engine.store());
  std::vector<std::string> lowers;
  lowers.reserve(image.layers.size());
  for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer) {
    lowers.push_back(layers.tree_path(*layer));
  }
  return lowers;
}

}  // namespace

storage::RootfsPlan plan_rootfs(const Engine& engine, const ContainerConfig& config) {
  storage::RootfsPlan plan;
  if (!config.rootfs.empty()) {
    plan.directory = config.rootfs;
    return plan;
  }
  const storage::OverlayFacts overlay = engine.overlay();
  const std::string directory = engine.containers().path(config.id);
  plan.driver = overlay.driver;
  plan.userxattr = overlay.userxattr;
  plan.is_volatile = config.auto_remove;
  plan.lowers = lower_directories(engine, config);
  plan.upper = directory + "/upper";
  plan.work = directory + "/work";
  if (overlay.driver == storage::OverlayDriver::vfs) plan.directory = directory + "/rootfs";
  return plan;
}

}  // namespace knarr::engine
