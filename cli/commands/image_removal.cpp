// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/image_removal.h"

#include <algorithm>
#include <optional>

#include "cli/commands/image_view.h"
#include "engine/images.h"
#include "engine/lifecycle.h"
#include "engine/trash.h"
#include "rootless/sys/error.h"
#include "storage/reference.h"

namespace knarr::cli {

namespace {

std::vector<std::string> users_of(const engine::Engine& engine, const storage::Image& image) {
  auto by_image = containers_by_image(engine);
  return std::move(by_image[image.id]);
}

void check_unused(const engine::Engine& engine, const storage::Image& image) {
  const std::vector<std::string> users = users_of(engine, image);
  if (users.empty()) return;
  Conflict error(concat("image used by ", users.front(), ": image is in use by a container"));
  error.set_hint("remove the container first, or use --force to remove both");
  throw error;
}

// The one of them that is nearest to the image and of no use without it.
std::optional<storage::Image> find_forgotten_parent(const engine::Engine& engine,
                                                    const storage::Image& image) {
  const std::vector<storage::Image> all = engine.images().list_images();
  const auto by_container = containers_by_image(engine);
  const auto is_needed = [&](const storage::Image& parent) {
    return !parent.names.empty() || by_container.contains(parent.id) ||
           std::any_of(all.begin(), all.end(),
                       [&](const storage::Image& other) { return is_made_of(other, parent); });
  };
  for (const storage::Image& parent : all) {
    if (is_made_of(image, parent) && !is_needed(parent)) return parent;
  }
  return std::nullopt;
}

[[noreturn]] void refuse_several_names(const std::string& id) {
  Conflict error(concat("unable to delete image ", id, " by ID with more than one tag"));
  error.set_hint("give one of its names, or use --force");
  throw error;
}

// nullopt: it means an image, or nothing. The images of a list stay.
std::optional<RemovedImage> remove_as_list(const engine::Engine& engine, const std::string& name_or_id,
                                           const ImageRemoval& removal) {
  if (engine.images().find_record(name_or_id)) return std::nullopt;
  const storage::ManifestListStore lists(engine.store());
  const auto list = lists.find_list(name_or_id);
  if (!list) return std::nullopt;
  if (list->names.size() <= 1) return remove_list(engine, *list);
  if (const auto name = lists.resolve_name(name_or_id)) {
    engine.images().untag_name(storage::parse_reference(*name));
    return RemovedImage{.untagged = {*name}, .deleted = {}};
  }
  if (!removal.force) refuse_several_names(list->id);
  return remove_list(engine, *list);
}

}  // namespace

void remove_unused_image(const engine::Engine& engine, const storage::Image& image) {
  engine.images().remove_image(image, [&] { check_unused(engine, image); });
}

RemovedImage remove_whole_image(const engine::Engine& engine, const storage::Image& image,
                                const ImageRemoval& removal) {
  if (removal.force) {
    for (const std::string& id : users_of(engine, image))
      engine::remove(engine, id, {.force = true, .timeout_seconds = std::nullopt});
  }
  remove_unused_image(engine, image);
  RemovedImage removed{.untagged = image.names, .deleted = {image.id}};
  while (removal.parents) {
    const auto parent = find_forgotten_parent(engine, image);
    if (!parent) break;
    remove_unused_image(engine, *parent);
    removed.deleted.push_back(parent->id);
  }
  sweep_images(engine);
  return removed;
}

void sweep_images(const engine::Engine& engine) {
  engine.images().remove_unreferenced();
  engine::empty_trash_in_background(engine);
}

RemovedImage remove_list(const engine::Engine& engine, const storage::ManifestList& list) {
  storage::ManifestListStore(engine.store()).remove_list(list);
  return {.untagged = list.names, .deleted = {list.id}};
}

RemovedImage remove_image(const engine::Engine& engine, const std::string& name_or_id,
                          const ImageRemoval& removal) {
  if (auto removed = remove_as_list(engine, name_or_id, removal)) return *std::move(removed);
  const storage::Image image = engine::get_image(engine, name_or_id);
  engine::require_writable(image, "remove");
  const std::string name = engine.images().resolve_name(name_or_id).value_or("");
  if (image.names.size() <= 1) return remove_whole_image(engine, image, removal);
  if (!name.empty()) {
    engine.images().untag_name(storage::parse_reference(name));
    return {.untagged = {name}, .deleted = {}};
  }
  if (!removal.force) refuse_several_names(image.id);
  return remove_whole_image(engine, image, removal);
}

}  // namespace knarr::cli
