// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/pull_transport.h"

#include "cli/log.h"
#include "storage/archive.h"
#include "storage/foreign/adopt.h"
#include "storage/foreign/storage_conf.h"
#include "storage/layer/unpack.h"

namespace knarr::cli {

namespace {

storage::Image adopt(const engine::Engine& engine, const std::string& name, storage::Settling settling) {
  if (name.starts_with('['))
    throw Unsupported(
        concat("containers-storage:", name, ": for another store there is system adopt --from"));
  const std::string foreign_root = storage::find_foreign_places(engine.host()).root;
  storage::uncover_trees(foreign_root);
  const storage::Store store = storage::Store::open(engine.store().root());
  const storage::ForeignStore source = storage::ForeignStore::open(foreign_root);
  storage::AdoptedImage adopted = with_context(concat("adopting ", name), [&] {
    return adopt_image(store, source, choose_foreign_image(source, name));
  });
  for (const std::string& kept : adopted.kept_names)
    log_warning(concat(kept, " means another image here and goes on doing so"));
  settle_layers(store, adopted.image.layers, settling);
  return std::move(adopted.image);
}

}  // namespace

std::vector<storage::Image> pull_by_transport(const engine::Engine& engine,
                                              const storage::TransportName& name,
                                              const storage::Platform& platform, storage::Settling settling) {
  if (name.transport == storage::Transport::containers_storage) return {adopt(engine, name.path, settling)};
  std::vector<storage::Image> images;
  for (storage::LoadedImage& loaded : load_transport(engine.store(), name, platform, settling))
    images.push_back(std::move(loaded.image));
  return images;
}

}  // namespace knarr::cli
