// SPDX-License-Identifier: Apache-2.0
#include "storage/image/manifest_list.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "rootless/sys/error.h"
#include "storage/image/manifest_list_json.h"
#include "storage/image/ref_links.h"
#include "storage/meta/random.h"
#include "storage/transport.h"

namespace knarr::storage {
namespace {

constexpr const char* directory = "lists";

std::string list_path(std::string_view id) {
  return concat(directory, '/', id);
}

std::string record_path(std::string_view id) {
  return list_path(id) + "/list.json";
}

bool is_id(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<std::string> names_of(const Store& store, const std::string& id) {
  std::vector<std::string> names;
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    if (!file.starts_with('.') && read_list_ref(store, "refs/" + file) == id)
      names.push_back(unescape_name(file));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<ManifestList> read_list(const Store& store, const std::string& id) {
  if (!is_id(id)) return std::nullopt;  // of a link we did not make
  const std::string path = record_path(id);
  const auto json = sys::read_file_if_exists(store.fd(), path);
  if (!json) return std::nullopt;
  return with_context(store.path(path), [&] {
    ManifestList list = parse_manifest_list(*json);
    list.id = id;
    list.names = names_of(store, id);
    return list;
  });
}

void write_list(const Store& store, const ManifestList& list) {
  sys::replace_file(store.fd(), record_path(list.id), render_manifest_list(list), 0600,
                    sys::Durability::synced);
}

struct NamedList {
  std::string name, id;
};

std::optional<NamedList> find_by_name(const Store& store, std::string_view text) {
  try {
    for (const Reference& candidate : local_candidates(parse_reference(strip_store_transport(text)))) {
      if (auto id = read_list_ref(store, ref_path(candidate)))
        return NamedList{render(candidate), *std::move(id)};
    }
  } catch (const InvalidArgument&) {
    // An id may be no name.
  }
  return std::nullopt;
}

std::optional<std::string> find_by_id(const Store& store, std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  if (text.empty()) return std::nullopt;
  std::optional<std::string> found;
  for (const std::string& id : sys::list_directory(store.fd(), directory)) {
    if (!is_id(id) || !id.starts_with(text)) continue;
    if (found) throw InvalidArgument(concat("\"", text, "\" is ambiguous: several lists' IDs begin so"));
    found = id;
  }
  return found;
}

std::map<std::string, Image> find_images(const Store& store, const ManifestList& list) {
  std::map<std::string, Image> images;
  for (const ListEntry& entry : list.entries) {
    if (entry.image.empty()) continue;
    if (auto image = ImageStore(store).find_record("sha256:" + entry.image))
      images.emplace(entry.image, *std::move(image));
  }
  return images;
}

std::vector<Digest> contents_of(const std::map<std::string, Image>& images) {
  std::vector<Digest> contents;
  for (const auto& [id, image] : images) {
    for (Digest& digest : storage::contents_of(image)) contents.push_back(std::move(digest));
  }
  return contents;
}

}  // namespace

ListEntry describe_local_image(const Store& store, const Image& image) {
  ListEntry entry;
  entry.descriptor.media_type = image.manifest_type;
  entry.descriptor.digest = image.manifest;
  entry.descriptor.size = ImageStore(store).read_manifest_json(image).size();
  entry.descriptor.architecture = image.architecture;
  entry.descriptor.os = image.os;
  entry.descriptor.variant = image.variant;
  entry.image = image.id;
  return entry;
}

void set_entry(ManifestList& list, ListEntry entry) {
  for (ListEntry& known : list.entries) {
    if (known.descriptor.digest != entry.descriptor.digest) continue;
    known = std::move(entry);
    return;
  }
  list.entries.push_back(std::move(entry));
}

ListEntry& get_entry(ManifestList& list, const Digest& digest) {
  for (ListEntry& entry : list.entries) {
    if (entry.descriptor.digest == digest) return entry;
  }
  throw NotFound(concat("the list has no image ", render(digest)));
}

const ListEntry* choose_entry(const ManifestList& list, const Platform& platform) {
  const Index index = index_of(list, {});
  const Descriptor* const chosen = choose_platform(index.manifests, platform);
  return chosen == nullptr ? nullptr
                           : &list.entries[static_cast<std::size_t>(chosen - index.manifests.data())];
}

Index index_of(const ManifestList& list, std::string_view media_type) {
  Index index;
  index.media_type = media_type;
  index.annotations = list.annotations;
  for (const ListEntry& entry : list.entries) index.manifests.push_back(entry.descriptor);
  return index;
}

ListImages::ListImages(const Store& store, const ManifestList& list)
    : images_(find_images(store, list)), claim_(store, contents_of(images_)) {
  // What was removed just before the claim is not there any more.
  images_ = find_images(store, list);
}

const Image* ListImages::find(const ListEntry& entry) const {
  const auto found = images_.find(entry.image);
  return found == images_.end() ? nullptr : &found->second;
}

std::optional<ManifestList> ManifestListStore::find_list(std::string_view name_or_id) const {
  if (const auto named = find_by_name(store_, name_or_id)) return read_list(store_, named->id);
  const auto id = find_by_id(store_, name_or_id);
  return id ? read_list(store_, *id) : std::nullopt;
}

std::optional<std::string> ManifestListStore::resolve_name(std::string_view text) const {
  auto named = find_by_name(store_, text);
  if (!named) return std::nullopt;
  return std::move(named->name);
}

std::vector<ManifestList> ManifestListStore::list_lists(
    const std::function<void(const Error&)>& damaged) const {
  std::vector<ManifestList> lists;
  for (const std::string& id : sys::list_directory(store_.fd(), directory)) {
    try {
      if (auto list = read_list(store_, id)) lists.push_back(*std::move(list));
    } catch (const Error& error) {
      if (damaged) damaged(error);
    }
  }
  return lists;
}

ManifestList ManifestListStore::get_list(std::string_view name_or_id) const {
  std::optional<ManifestList> list = find_list(name_or_id);
  if (!list) throw NotFound(concat(name_or_id, ": manifest list not known"));
  return *std::move(list);
}

ManifestList ManifestListStore::create_list(const Reference& name) const {
  const Reference full = normalize(name);
  if (full.digest) throw InvalidArgument(concat('"', render(full), "\": a list is named by a tag"));
  const std::string ref = ref_path(full);
  ManifestList list;
  list.id = random_hex(64);
  list.created = ::time(nullptr);
  list.names = {render(full)};
  sys::make_directory(store_.fd(), directory, 0700);  // a store of an earlier version has none
  sys::make_directory(store_.fd(), list_path(list.id), 0700);
  write_list(store_, list);
  const std::string target = concat(list_link_prefix, list.id);
  if (::symlinkat(target.c_str(), store_.fd(), ref.c_str()) < 0) {
    const int code = errno;
    store_.move_to_trash(list_path(list.id));
    if (code == EEXIST) throw Conflict(concat("the name ", render(full), " is already in use"));
    throw_sys_error(code, concat("creating link ", ref));
  }
  sync_refs(store_);
  return list;
}

ManifestList ManifestListStore::change_list(const std::string& id,
                                            const std::function<void(ManifestList&)>& change) const {
  const sys::Lock lock = sys::Lock::acquire(store_.fd(), list_path(id), sys::Lock::Mode::exclusive);
  ManifestList list = get_list(id);
  change(list);
  write_list(store_, list);
  return list;
}

void ManifestListStore::tag_list(const ManifestList& list, const Reference& name) const {
  if (name.digest) throw InvalidArgument(concat('"', render(name), "\": a tag cannot be a digest"));
  const sys::Lock lock = sys::Lock::acquire(store_.fd(), list_path(list.id), sys::Lock::Mode::exclusive);
  point_ref_at(store_, ref_path(normalize(name)), concat(list_link_prefix, list.id));
  sync_refs(store_);
}

void ManifestListStore::remove_list(const ManifestList& list) const {
  for (const std::string& name : names_of(store_, list.id))
    sys::unlink_if_exists(store_.fd(), "refs/" + escape_name(name));
  store_.move_to_trash(list_path(list.id));
}

}  // namespace knarr::storage
