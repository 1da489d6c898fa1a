// SPDX-License-Identifier: Apache-2.0
#include "engine/export.h"

#include "engine/container_layers.h"
#include "engine/copy_place.h"
#include "storage/layer/change_archive.h"
#include "storage/output_place.h"

namespace knarr::engine {

void export_container(const Engine& engine, const std::string& id, const std::string& path) {
  const auto lock = lock_resting(engine, {{.container_id = id, .path = {}}});
  const ContainerConfig config = engine.load_config(id);
  const storage::TreeStack layers = visible_layers(engine, config);
  engine.enter_r();
  storage::OutputFile output(path);
  storage::TarWriter writer(storage::sink_to(output.fd(), path == "-" ? "standard output" : path));
  const std::vector<storage::TreeChange> everything = storage::find_changes(layers, {});
  for (const std::string& line : storage::archive_changes(layers, everything, std::nullopt, writer))
    engine.warn(line);
  require_container(engine, config);
  output.publish();
}

}  // namespace knarr::engine
