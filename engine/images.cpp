// SPDX-License-Identifier: Apache-2.0
#include "engine/images.h"

#include <algorithm>

#include "engine/helpers.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "rootless/sys/program.h"
#include "storage/foreign/storage_conf.h"
#include "storage/image/additional_store.h"
#include "storage/layer/layer.h"

namespace knarr::engine {

namespace {

// What the command line says replaces what the file says, as podman has it.
std::vector<std::string> additional_directories(const Engine& engine) {
  const std::vector<std::string>& given = engine.options().additional_image_stores;
  if (!given.empty()) return given;
  try {
    return storage::find_foreign_places(engine.host()).additional_stores;
  } catch (const InvalidArgument& error) {
    // podman's file: it need not keep anybody from working with images of our own.
    engine.warn(error.message());
    return {};
  }
}

// knarr itself reads no tables of others.
void make_view(const Engine& engine, const std::string& directory) {
  const sys::CommandResult result =
      sys::run_command({helper_path("knarr-store"), "--root", engine.paths().store_root, "--runroot",
                        engine.paths().run_root, "system", "view-image-store", directory},
                       sys::own_environment());
  for (std::size_t start = 0; start < result.errors.size();) {
    const std::size_t end = std::min(result.errors.find('\n', start), result.errors.size());
    engine.warn(concat("image store ", directory, ": ", result.errors.substr(start, end - start)));
    start = end + 1;
  }
}

std::optional<storage::Store> open_view(const Engine& engine, const std::string& directory) {
  try {
    const storage::AdditionalStore additional(engine.store(), directory);
    if (auto view = additional.current_view()) return view;
    make_view(engine, additional.directory());
    return additional.current_view();
  } catch (const NotFound& error) {
    engine.warn(error.message());
    return std::nullopt;
  }
}

// Asks the further stores one after another until `ask` has an answer.
template <typename Ask>
std::optional<storage::Image> ask_additional(const Engine& engine, const Ask& ask) {
  for (const std::string& directory : additional_directories(engine)) {
    const auto view = open_view(engine, directory);
    if (!view) continue;
    if (auto image = ask(storage::ImageStore(*view))) {
      image->store = directory;
      return image;
    }
  }
  return std::nullopt;
}

// The tree behind the link of a view: it stays right when the view is made anew.
std::string real_tree(const std::string& tree) {
  return sys::read_link(AT_FDCWD, tree).value_or(tree);
}

std::vector<std::string> trees_in(const storage::Store& store, const storage::Image& image) {
  const storage::LayerStore layers(store);
  std::vector<std::string> trees;
  trees.reserve(image.layers.size());
  for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer)
    trees.push_back(layers.tree_path(*layer));
  return trees;
}

// nullopt: no list is meant.
std::optional<storage::Image> find_image_in_list(const Engine& engine, const std::string& name_or_id) {
  const auto entry = find_list_entry(engine, name_or_id, {});
  if (!entry) return std::nullopt;
  if (auto image = find_image_of(engine, *entry)) return image;
  NotFound error(concat("of the manifest list ", name_or_id, " the image for this machine, ",
                        render(entry->descriptor.digest), ", is not in the local store"));
  if (!entry->source.empty()) error.set_hint("'knarr pull " + entry->source + "' fetches it");
  throw error;
}

}  // namespace

std::optional<storage::Image> find_image_record(const Engine& engine, const std::string& name_or_id) {
  if (auto image = engine.images().find_record(name_or_id)) return image;
  if (auto image = find_image_in_list(engine, name_or_id)) return image;
  return ask_additional(engine,
                        [&](const storage::ImageStore& images) { return images.find_record(name_or_id); });
}

std::optional<storage::Image> find_image(const Engine& engine, const std::string& name_or_id) {
  if (auto image = engine.images().find_image(name_or_id)) return image;
  if (auto image = find_image_in_list(engine, name_or_id))
    return engine.images().find_image("sha256:" + image->id);
  return ask_additional(engine,
                        [&](const storage::ImageStore& images) { return images.find_image(name_or_id); });
}

storage::Image get_image(const Engine& engine, const std::string& name_or_id) {
  auto image = find_image(engine, name_or_id);
  if (!image) throw NotFound(concat(name_or_id, ": image not known"));
  return *std::move(image);
}

std::vector<storage::Image> list_images(const Engine& engine,
                                        const storage::ImageStore::DamageReport& damaged) {
  std::vector<storage::Image> images = engine.images().list_images(damaged);
  for (const std::string& directory : additional_directories(engine)) {
    const auto view = open_view(engine, directory);
    if (!view) continue;
    for (storage::Image& image : storage::ImageStore(*view).list_images(damaged)) {
      const bool is_known =
          std::any_of(images.begin(), images.end(), [&](const auto& known) { return known.id == image.id; });
      if (is_known) continue;
      image.store = directory;
      images.push_back(std::move(image));
    }
  }
  return images;
}

std::optional<std::string> resolve_image_name(const Engine& engine, const storage::Image& image,
                                              const std::string& name) {
  if (image.store.empty()) {
    const auto full_name = engine.images().resolve_name(name);
    return full_name ? full_name : storage::ManifestListStore(engine.store()).resolve_name(name);
  }
  const auto view = open_view(engine, image.store);
  return view ? storage::ImageStore(*view).resolve_name(name) : std::nullopt;
}

void require_writable(const storage::Image& image, const std::string& act) {
  if (image.store.empty()) return;
  InvalidArgument error(concat("cannot ", act, " read-only image \"", image.id, '"'));
  error.set_hint(
      concat("it is in the store ", image.store, "; 'system adopt --from ", image.store, "' makes it yours"));
  throw error;
}

std::optional<storage::ListEntry> find_list_entry(const Engine& engine, const std::string& name_or_id,
                                                  const storage::Platform& platform) {
  const auto list = storage::ManifestListStore(engine.store()).find_list(name_or_id);
  if (!list) return std::nullopt;
  const storage::Platform wanted = storage::complete_platform(platform);
  const storage::ListEntry* const entry = choose_entry(*list, wanted);
  if (entry != nullptr) return *entry;
  throw NotFound(
      concat("the manifest list ", name_or_id, " has no image for ", wanted.os, '/', wanted.architecture));
}

std::optional<storage::Image> find_image_of(const Engine& engine, const storage::ListEntry& entry) {
  if (!entry.image.empty()) return engine.images().find_record("sha256:" + entry.image);
  return engine.images().find_record(entry.source);  // it may have been pulled
}

std::optional<storage::Image> find_record_in(const Engine& engine, const std::string& image_id,
                                             const std::string& store) {
  if (store.empty()) return engine.images().find_record(image_id);
  const auto view = open_view(engine, store);
  auto image = view ? storage::ImageStore(*view).find_record(image_id) : std::nullopt;
  if (image) image->store = store;
  return image;
}

std::vector<std::string> layer_trees(const Engine& engine, const storage::Image& image) {
  if (image.store.empty()) return trees_in(engine.store(), image);
  const auto view = open_view(engine, image.store);
  if (!view) throw NotFound(concat(image.id, ": image not known"));
  std::vector<std::string> trees = trees_in(*view, image);
  for (std::string& tree : trees) tree = real_tree(tree);
  return trees;
}

}  // namespace knarr::engine
