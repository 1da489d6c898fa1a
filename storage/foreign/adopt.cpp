// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/adopt.h"

#include <algorithm>
#include <optional>

#include "rootless/sys/error.h"
#include "storage/foreign/foreign_layer.h"
#include "storage/image/image_store.h"
#include "storage/layer/unpack.h"

namespace knarr::storage {
namespace {

// ---- which images ----

std::optional<Reference> try_parse(const std::string& text) {
  try {
    return parse_reference(text);
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
}

// As in our own store (ImageStore::find_image): what the name may stand for, best first, then the end of a
// name.
std::vector<std::string> full_names(const std::string& text) {
  std::vector<std::string> names;
  if (const auto reference = try_parse(text)) {
    for (const Reference& candidate : local_candidates(*reference)) names.push_back(render(candidate));
  }
  return names;
}

bool ends_in_name(const std::string& full, const std::string& text) {
  for (const std::string& end : {"/" + text, concat('/', text, ":latest")}) {
    if (full.size() > end.size() && full.ends_with(end)) return true;
  }
  return false;
}

template <typename Matches>
const ForeignImage* find_only(const ForeignStore& store, const std::string& wanted, Matches&& matches) {
  const ForeignImage* found = nullptr;
  for (const ForeignImage& image : store.images()) {
    if (!matches(image)) continue;
    if (found != nullptr)
      throw InvalidArgument(
          concat('"', wanted, "\" is ambiguous: several images of ", store.root(), " match"));
    found = &image;
  }
  return found;
}

bool has_name(const ForeignImage& image, const std::string& name) {
  return std::find(image.names.begin(), image.names.end(), name) != image.names.end();
}

// ---- taking over ----

void adopt_layers(const Store& store, const ForeignStore& source, const ForeignContents& contents,
                  AdoptedImage& adopted) {
  for (const ForeignLayer& layer : contents.layers) {
    const PlacedLayer placed = with_context(concat("layer ", layer.id), [&] {
      return place_layer(store, layer.diff_id, [&](int target_fd) {
        const GrownLayer grown = grow_foreign_layer(source, layer, target_fd);
        adopted.copied_files += grown.copied_files;
        return grown.meta;
      });
    });
    if (placed.is_new) ++adopted.new_layers;
    if (layer.shipped) note_shipped_blob(store, layer.diff_id, *layer.shipped);
    adopted.image.layer_sizes.push_back(placed.meta.tree_bytes);
    adopted.image.size += placed.meta.tree_bytes;
  }
}

// Names that are free here, or the image's already.
std::vector<Reference> choose_names(const Store& store, const ForeignImage& image, AdoptedImage& adopted) {
  std::vector<Reference> names;
  for (const std::string& text : image.names) {
    const auto reference = try_parse(text);
    if (!reference) continue;  // not ours to judge; the image has its id
    const Reference name = normalize(*reference);
    const auto holder = ImageStore(store).find_record(render(name));
    if (holder && holder->id != adopted.image.id) {
      adopted.kept_names.push_back(render(name));
    } else {
      names.push_back(name);
      adopted.image.names.push_back(render(name));
    }
  }
  return names;
}

}  // namespace

const ForeignImage& choose_foreign_image(const ForeignStore& store, const std::string& name_or_id) {
  for (const std::string& name : full_names(name_or_id)) {
    if (const auto* found =
            find_only(store, name_or_id, [&](const auto& image) { return has_name(image, name); }))
      return *found;
  }
  const auto* found = find_only(store, name_or_id, [&](const ForeignImage& image) {
    return std::any_of(image.names.begin(), image.names.end(),
                       [&](const std::string& name) { return ends_in_name(name, name_or_id); });
  });
  if (found != nullptr) return *found;
  const std::string prefix = name_or_id.starts_with("sha256:") ? name_or_id.substr(7) : name_or_id;
  found = find_only(store, name_or_id, [&](const ForeignImage& image) {
    return !prefix.empty() && image.id.starts_with(prefix);
  });
  if (found != nullptr) return *found;
  throw NotFound(concat(name_or_id, ": image not known in ", store.root()));
}

void adopt_layers(const Store& store, const ForeignStore& source, const ForeignImage& image) {
  AdoptedImage adopted;
  adopt_layers(store, source, source.read_image(image), adopted);
}

AdoptedImage adopt_image(const Store& store, const ForeignStore& source, const ForeignImage& image) {
  // No prune may take a layer between our look at it and the image's record.
  const sys::Lock gc = store.lock_gc(sys::Lock::Mode::shared);
  const ForeignContents contents = source.read_image(image);
  AdoptedImage adopted;
  adopted.image = contents.image;
  const std::optional<Image> here = ImageStore(store).find_image("sha256:" + adopted.image.id);
  adopt_layers(store, source, contents, adopted);
  const std::vector<Reference> names = choose_names(store, image, adopted);
  adopted.was_here =
      here && adopted.new_layers == 0 &&
      std::all_of(adopted.image.names.begin(), adopted.image.names.end(), [&](const auto& name) {
        return std::find(here->names.begin(), here->names.end(), name) != here->names.end();
      });
  if (!adopted.was_here)
    ImageStore(store).add_image(adopted.image, contents.manifest_json, contents.config_json, names);
  return adopted;
}

}  // namespace knarr::storage
