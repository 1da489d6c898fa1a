// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/unused.h"

#include "cli/commands/image_view.h"
#include "cli/commands/volume_view.h"
#include "cli/log.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using Labels = std::map<std::string, std::string>;

bool matches(const Filters& filters, const Labels& labels, std::int64_t created_ns) {
  for (const auto& [name, values] : filters) {
    for (const std::string& value : values) {
      if (name == "label" && !has_label(labels, value)) return false;
      if (name == "label!" && has_label(labels, value)) return false;
      if (name == "until" && created_ns >= parse_filter_time(value)) return false;
    }
  }
  return true;
}

}  // namespace

std::vector<ListedContainer> unused_containers(const engine::Engine& engine, const Filters& filters) {
  std::vector<ListedContainer> containers = list_containers(engine);
  std::erase_if(containers, [&](const ListedContainer& container) {
    return container.status.state == engine::State::running ||
           !matches(filters, container.summary.labels, container.created_ns);
  });
  return containers;
}

std::vector<storage::Image> unused_images(const engine::Engine& engine, const Filters& filters, bool all) {
  const auto used = containers_by_image(engine);
  std::vector<storage::Image> images = engine.images().list_images();
  std::erase_if(images, [&](const storage::Image& image) {
    return (!all && !image.names.empty()) || used.contains(image.id) ||
           !matches(filters, image.config.labels, image_created_ns(image));
  });
  return images;
}

std::vector<storage::Volume> unused_volumes(const engine::Engine& engine,
                                            const std::vector<std::string>& filters, bool all) {
  if (const auto unreadable = find_unreadable_container(engine)) {
    log_warning(concat("no volume is removed: container ", *unreadable,
                       " is damaged and may use any; see 'knarr system check'"));
    return {};
  }
  const auto used = containers_by_volume(engine);
  std::vector<storage::Volume> volumes = filter_volumes(engine, list_healthy_volumes(engine), filters);
  std::erase_if(volumes, [&](const storage::Volume& volume) {
    return used.contains(volume.name) || (!all && !volume.anonymous);
  });
  return volumes;
}

}  // namespace knarr::cli
