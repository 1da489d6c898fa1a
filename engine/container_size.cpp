// SPDX-License-Identifier: Apache-2.0
#include "engine/container_size.h"

#include <fcntl.h>

#include <charconv>
#include <optional>

#include "engine/images.h"
#include "engine/in_r.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/tree_usage.h"

namespace knarr::engine {

namespace {

std::uint64_t image_bytes(const Engine& engine, const ContainerConfig& config) {
  if (config.image_id.empty()) return 0;  // --rootfs
  const auto image = find_record_in(engine, config.image_id, config.image_store);
  return image ? image->size : 0;
}

// The directory that is measured, and what in it is the image's.
struct Measured {
  std::string id, directory;
  std::uint64_t image = 0, copied = 0;
};

std::optional<Measured> find_measured(const Engine& engine, const std::string& id) {
  try {
    const ContainerConfig config = engine.load_config(id);
    if (!config.rootfs.empty()) return Measured{.id = id, .directory = {}};
    const std::uint64_t image = image_bytes(engine, config);
    // Without an overlay the container has a copy of the image, once it was started.
    const bool is_copy = engine.overlay().driver == storage::OverlayDriver::vfs;
    return Measured{.id = id,
                    .directory = engine.containers().path(id) + (is_copy ? "/rootfs" : "/upper"),
                    .image = image,
                    .copied = is_copy ? image : 0};
  } catch (const Error&) {
    return std::nullopt;  // gone, or damaged: `system check` tells
  }
}

std::uint64_t written_bytes(const Measured& measured) {
  const sys::UniqueFd directory = measured.directory.empty()
                                      ? sys::UniqueFd()
                                      : sys::find_at(AT_FDCWD, measured.directory, O_RDONLY | O_DIRECTORY);
  if (!directory) return 0;
  const std::uint64_t bytes = storage::measure_tree(directory.get()).bytes;
  return bytes > measured.copied ? bytes - measured.copied : 0;
}

}  // namespace

std::map<std::string, ContainerSize> measure_containers(const Engine& engine,
                                                        const std::vector<std::string>& ids) {
  std::vector<Measured> all;
  for (const std::string& id : ids) {
    if (auto measured = find_measured(engine, id)) all.push_back(*std::move(measured));
  }
  std::map<std::string, ContainerSize> sizes;
  if (all.empty()) return sizes;
  const std::string text = read_in_r(engine, [&all] {
    std::string lines;
    for (const Measured& measured : all) lines += concat(written_bytes(measured), '\n');
    return lines;
  });
  const char* at = text.data();
  for (const Measured& measured : all) {
    ContainerSize& size = sizes[measured.id];
    size.image = measured.image;
    at = std::from_chars(at, text.data() + text.size(), size.written).ptr + 1;
  }
  return sizes;
}

}  // namespace knarr::engine
