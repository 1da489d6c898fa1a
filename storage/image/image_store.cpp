// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_store.h"

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "rootless/sys/error.h"
#include "storage/image/image_config_json.h"
#include "storage/image/ref_links.h"
#include "storage/layer/layer.h"
#include "storage/transport.h"

namespace knarr::storage {
namespace {

constexpr std::string_view link_prefix = "../images/";
constexpr std::string_view record_suffix = ".json";
constexpr const char* claim_purpose = "claim";
constexpr const char* claim_file = "/layers";
constexpr std::size_t max_record_bytes = 2 * max_config_bytes;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string record_path(std::string_view id) {
  return concat("images/", id, record_suffix);
}

std::string blob_path(const Digest& digest) {
  return concat("blobs/", digest.algorithm, '/', digest.hex);
}

// An image id is the hex of its config's digest; its length tells the algorithm.
Digest config_digest(const Image& image) {
  return {image.id.size() == 128 ? "sha512" : "sha256", image.id};
}

// The id in a link's target; nullopt for a link we did not make.
std::optional<std::string> id_of_link(std::string_view target) {
  if (!target.starts_with(link_prefix) || !target.ends_with(record_suffix)) return std::nullopt;
  target.remove_prefix(link_prefix.size());
  target.remove_suffix(record_suffix.size());
  if (!is_hex(target)) return std::nullopt;
  return std::string(target);
}

std::optional<std::string> read_ref(const Store& store, const std::string& path) {
  const std::optional<std::string> target = sys::read_link(store.fd(), path);
  return target ? id_of_link(*target) : std::nullopt;
}

std::optional<Image> read_record(const Store& store, std::string_view id) {
  const std::string path = record_path(id);
  const auto json = sys::read_file_if_exists(store.fd(), path, max_record_bytes);
  if (!json) return std::nullopt;
  try {
    Image image = parse_image_record(*json);
    if (image.id != id) throw InvalidArgument(concat("the record is that of image ", image.id));
    return image;
  } catch (Error& error) {
    error.add_context(store.path(path));
    if (error.hint().empty()) error.set_hint("see 'knarr system check'");
    throw;
  }
}

bool has_record(const Store& store, std::string_view id) {
  return ::faccessat(store.fd(), record_path(id).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct Ref {
  std::string name;  // full
  std::string id;
};

std::vector<Ref> list_refs(const Store& store) {
  std::vector<Ref> refs;
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    if (file.starts_with('.')) continue;  // about to become a name
    if (auto id = read_ref(store, "refs/" + file)) refs.push_back({unescape_name(file), *std::move(id)});
  }
  std::sort(refs.begin(), refs.end(), [](const Ref& a, const Ref& b) { return a.name < b.name; });
  return refs;
}

std::vector<std::string> list_ids(const Store& store) {
  std::vector<std::string> ids;
  for (const std::string& file : sys::list_directory(store.fd(), "images")) {
    if (auto id = id_of_link(concat(link_prefix, file))) ids.push_back(*std::move(id));
  }
  return ids;
}

// ---- finding ----

struct Found {
  std::string name;  // full name it was found by; empty for an id
  std::string id;
};

std::optional<Reference> try_parse(std::string_view text) {
  try {
    return parse_reference(text);
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
}

// "quay.io/x/foo:1" ends in "x/foo:1" and "foo:1", at whole components.
bool ends_in_components(std::string_view full, std::string_view end) {
  return full.size() > end.size() && full.ends_with(end) && full[full.size() - end.size() - 1] == '/';
}

std::optional<Found> only_one(std::vector<Found> found, std::string_view text) {
  if (found.empty()) return std::nullopt;
  const auto other =
      std::find_if(found.begin(), found.end(), [&](const Found& f) { return f.id != found[0].id; });
  if (other != found.end()) {
    throw InvalidArgument(
        concat("\"", text, "\" is ambiguous: it may be ", found[0].name, " or ", other->name));
  }
  return std::move(found[0]);
}

std::optional<Found> find_by_candidates(const Store& store, const Reference& reference) {
  for (const Reference& candidate : local_candidates(reference)) {
    auto id = read_ref(store, ref_path(candidate));
    if (id && has_record(store, *id)) return Found{render(candidate), *std::move(id)};
  }
  return std::nullopt;
}

std::optional<Found> find_by_short_name(const Store& store, const Reference& reference,
                                        std::string_view text) {
  Reference end = reference;
  if (end.tag.empty() && !end.digest) end.tag = "latest";
  if (end.digest) end.tag.clear();
  const std::string rendered = render(end);
  std::vector<Found> found;
  for (Ref& ref : list_refs(store)) {
    if (ends_in_components(ref.name, rendered) && has_record(store, ref.id)) {
      found.push_back({std::move(ref.name), std::move(ref.id)});
    }
  }
  return only_one(std::move(found), text);
}

bool came_as(const Image& image, const Digest& digest) {
  return image.manifest == digest ||
         std::find(image.indexes.begin(), image.indexes.end(), digest) != image.indexes.end();
}

// NAME@sha256:... of an image that was pulled by tag: the same repository, and the manifest it came with.
std::optional<Found> find_by_manifest(const Store& store, const Reference& reference, std::string_view text) {
  std::vector<std::string> repositories;
  for (Reference candidate : local_candidates(reference)) {
    candidate.tag.clear();
    candidate.digest.reset();
    repositories.push_back(render(candidate));
  }
  std::vector<Found> found;
  for (Ref& ref : list_refs(store)) {
    auto name = try_parse(ref.name);
    if (!name) continue;
    name->tag.clear();
    name->digest.reset();
    const std::string repository = render(*name);
    const bool same = std::find(repositories.begin(), repositories.end(), repository) != repositories.end() ||
                      (reference.domain.empty() && ends_in_components(repository, reference.path));
    if (!same) continue;
    const auto image = read_record(store, ref.id);
    if (image && came_as(*image, *reference.digest))
      found.push_back({std::move(ref.name), std::move(ref.id)});
  }
  return only_one(std::move(found), text);
}

// Before the end of an image's name such a name counts.
bool means_list(const Store& store, const Reference& reference) {
  const std::vector<Reference> candidates = local_candidates(reference);
  return std::any_of(candidates.begin(), candidates.end(), [&](const Reference& candidate) {
    return read_list_ref(store, ref_path(candidate)).has_value();
  });
}

std::optional<Found> find_by_name(const Store& store, std::string_view text) {
  const std::optional<Reference> reference = try_parse(text);
  if (!reference) return std::nullopt;
  if (auto found = find_by_candidates(store, *reference)) return found;
  if (means_list(store, *reference)) return std::nullopt;
  if (reference->digest) return find_by_manifest(store, *reference, text);
  if (!reference->domain.empty()) return std::nullopt;
  return find_by_short_name(store, *reference, text);
}

std::optional<Found> find_by_id(const Store& store, std::string_view prefix, std::string_view text) {
  if (!is_hex(prefix)) return std::nullopt;
  if (prefix.size() >= 64 && has_record(store, prefix)) return Found{"", std::string(prefix)};
  std::optional<Found> found;
  for (std::string& id : list_ids(store)) {
    if (!id.starts_with(prefix)) continue;
    if (found) throw InvalidArgument(concat("\"", text, "\" is ambiguous: several image IDs begin so"));
    found = Found{"", std::move(id)};
  }
  return found;
}

std::optional<Found> find(const Store& store, std::string_view text) {
  text = strip_store_transport(text);
  constexpr std::string_view id_prefix = "sha256:";
  if (text.starts_with(id_prefix)) return find_by_id(store, text.substr(id_prefix.size()), text);
  // A whole id cannot be taken for a short name that happens to look like one.
  if (text.size() == 64 && is_hex(text) && has_record(store, text)) return Found{"", std::string(text)};
  if (auto found = find_by_name(store, text)) return found;
  return find_by_id(store, text, text);
}

// ---- changing ----

void point_name_at(const Store& store, const std::string& path, std::string_view id) {
  point_ref_at(store, path, concat(link_prefix, id, record_suffix));
}

// A blob that is there already has the same bytes by its name, unless a power cut tore it.
void add_blob(const Store& store, const Digest& digest, std::string_view bytes) {
  const std::string path = blob_path(digest);
  const auto there = sys::stat_at(store.fd(), path, AT_SYMLINK_NOFOLLOW);
  if (there && static_cast<std::size_t>(there->st_size) == bytes.size()) return;
  if (digest.algorithm != "sha256") sys::make_directory(store.fd(), "blobs/" + digest.algorithm, 0700);
  sys::replace_file(store.fd(), path, bytes, 0600, sys::Durability::synced);
}

void require_layers(const Store& store, const Image& image) {
  const LayerStore layers(store);
  for (const Digest& layer : image.layers) {
    if (!layers.find_layer(layer)) {
      throw NotFound(
          concat("adding image ", image.id, ": its layer ", render(layer), " is not in the store"));
    }
  }
}

// What an image's record needs, as text that has the digits. A damaged record does not tell; its config names
// the layers at least, and of its manifest nothing is known, so `is_damaged` is set.
std::string read_needs(const Store& store, const std::string& id, bool& is_damaged) {
  try {
    auto record = sys::read_file_if_exists(store.fd(), record_path(id), max_record_bytes);
    if (!record) return "";
    if (record->find(id) != std::string::npos) return *std::move(record);
  } catch (const Error&) {
    // No file at all.
  }
  is_damaged = true;
  try {
    const Digest config{id.size() == 128 ? "sha512" : "sha256", id};
    return id + sys::read_file_if_exists(store.fd(), blob_path(config), max_config_bytes).value_or("");
  } catch (const Error&) {
    return id;
  }
}

// What commands under way bring or read (LayerClaim), as text.
std::vector<std::string> read_claims(const Store& store) {
  std::vector<std::string> claims;
  for (const std::string& name : sys::list_directory(store.fd(), "staging")) {
    if (!name.starts_with(claim_purpose)) continue;
    const std::string path = "staging/" + name;
    try {
      // Who can lock it knows that its owner is gone.
      if (sys::Lock::try_acquire(store.fd(), path, sys::Lock::Mode::exclusive)) continue;
    } catch (const NotFound&) {
      continue;
    }
    if (auto text = sys::read_file_if_exists(store.fd(), path + claim_file))
      claims.push_back(*std::move(text));
  }
  return claims;
}

// All that the images but `except` need, and that somebody claims. A record names each digest it needs, so
// looking for digests in its text finds every use and is cheaper than parsing: all records are read under the
// gc lock.
class Needs {
 public:
  Needs(const Store& store, const std::string& except) {
    for (const std::string& claim : read_claims(store)) add_digests(claim);
    for (const std::string& id : list_ids(store)) {
      if (id != except) add_digests(read_needs(store, id, is_damaged_));
    }
  }

  bool mention(const std::string& hex) const { return digests_.contains(hex); }
  // A damaged record may need any blob.
  bool may_need_any_blob() const { return is_damaged_; }

 private:
  void add_digests(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    constexpr std::size_t shortest = 64;
    for (std::size_t begin = text.find_first_of(digits); begin < text.size();) {
      const std::size_t end = std::min(text.find_first_not_of(digits, begin), text.size());
      if (end - begin >= shortest) digests_.emplace(text.substr(begin, end - begin));
      begin = text.find_first_of(digits, end);
    }
  }

  std::unordered_set<std::string> digests_;
  bool is_damaged_ = false;
};

// What lies in the place of a file may be anything after a disk went bad.
void remove_file(const Store& store, const std::string& path) {
  if (::unlinkat(store.fd(), path.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR) throw_errno("removing ", store.path(path));
  store.move_to_trash(path);
}

void remove_names_of(const Store& store, const std::string& id) {
  for (const Ref& ref : list_refs(store)) {
    if (ref.id == id) sys::unlink_if_exists(store.fd(), "refs/" + escape_name(ref.name));
  }
}

// Links to no record, and those that never got their name.
void remove_dangling_refs(const Store& store) {
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    const std::string path = "refs/" + file;
    const auto id = read_ref(store, path);
    if (file.starts_with('.') || (id && !has_record(store, *id))) sys::unlink_if_exists(store.fd(), path);
  }
}

// Records that were being written by replace_file(): nobody writes one now, under the exclusive gc lock.
void remove_unfinished_records(const Store& store) {
  for (const std::string& file : sys::list_directory(store.fd(), "images")) {
    if (file.starts_with('.')) sys::unlink_if_exists(store.fd(), "images/" + file);
  }
}

std::string read_blob(const Store& store, const Digest& digest, std::size_t max_bytes) {
  return sys::read_file(store.fd(), blob_path(digest), max_bytes);
}

// Also in a view of another store: containers use copies of its images too.
bool has_record_anywhere(const Store& store, std::string_view id) {
  if (has_record(store, id)) return true;
  const std::vector<std::string> views = sys::list_directory(store.fd(), "additional");
  return std::any_of(views.begin(), views.end(), [&](const std::string& view) {
    return sys::stat_at(store.fd(), concat("additional/", view, '/', record_path(id))).has_value();
  });
}

}  // namespace

LayerClaim::LayerClaim(const Store& store, const std::vector<Digest>& contents)
    : store_(store), staging_(store.make_staging(claim_purpose)) {
  // A removal is either over, or sees the claim.
  const sys::Lock gc = store.lock_gc(sys::Lock::Mode::shared);
  std::string text;
  for (const Digest& digest : contents) text += digest.hex + '\n';
  sys::create_file(store.fd(), staging_.path + claim_file, text, 0600, sys::Durability::none);
}

LayerClaim::~LayerClaim() {
  // What cannot be removed is garbage as soon as the lock is gone.
  ::unlinkat(store_.fd(), (staging_.path + claim_file).c_str(), 0);
  ::unlinkat(store_.fd(), staging_.path.c_str(), AT_REMOVEDIR);
}

std::vector<Digest> contents_of(const Image& image) {
  std::vector<Digest> contents = image.layers;
  contents.push_back(image.manifest);
  contents.push_back(config_digest(image));
  return contents;
}

std::optional<Image> ImageStore::find_record(std::string_view name_or_id) const {
  const std::optional<Found> found = find(store_, name_or_id);
  return found ? read_record(store_, found->id) : std::nullopt;
}

std::optional<Image> ImageStore::find_image(std::string_view name_or_id) const {
  std::optional<Image> image = find_record(name_or_id);
  if (!image) return image;
  for (Ref& ref : list_refs(store_)) {
    if (ref.id == image->id) image->names.push_back(std::move(ref.name));
  }
  return image;
}

Image ImageStore::get_image(std::string_view name_or_id) const {
  std::optional<Image> image = find_image(name_or_id);
  if (!image) throw NotFound(concat(name_or_id, ": image not known"));
  return *std::move(image);
}

std::optional<std::string> ImageStore::resolve_name(std::string_view text) const {
  std::optional<Found> found = find(store_, text);
  if (!found) return std::nullopt;
  return std::move(found->name);
}

std::vector<Image> ImageStore::list_images(const DamageReport& damaged) const {
  std::map<std::string, std::vector<std::string>> names;
  for (Ref& ref : list_refs(store_)) names[ref.id].push_back(std::move(ref.name));
  std::vector<Image> images;
  for (const std::string& id : list_ids(store_)) {
    try {
      std::optional<Image> image = read_record(store_, id);
      if (!image) continue;
      image->names = std::move(names[id]);
      images.push_back(*std::move(image));
    } catch (const Error& error) {
      if (damaged) damaged(error);
    }
  }
  return images;
}

void ImageStore::add_image(const Image& image, std::string_view manifest_json, std::string_view config_json,
                           const std::vector<Reference>& names) const {
  const sys::Lock gc = store_.lock_gc(sys::Lock::Mode::shared);
  std::vector<std::string> paths;
  for (const Reference& name : names) paths.push_back(ref_path(normalize(name)));
  require_layers(store_, image);
  add_blob(store_, image.manifest, manifest_json);
  add_blob(store_, config_digest(image), config_json);
  sys::replace_file(store_.fd(), record_path(image.id), render_image_record(image), 0600,
                    sys::Durability::synced);
  for (const std::string& path : paths) point_name_at(store_, path, image.id);
  if (!paths.empty()) sync_refs(store_);
}

void ImageStore::tag_image(const Image& image, const Reference& name) const {
  if (name.digest) throw InvalidArgument(concat('"', render(name), "\": a tag cannot be a digest"));
  const sys::Lock gc = store_.lock_gc(sys::Lock::Mode::shared);
  if (!has_record(store_, image.id)) throw NotFound(concat(image.id, ": image not known"));
  point_name_at(store_, ref_path(normalize(name)), image.id);
  sync_refs(store_);
}

bool ImageStore::untag_name(const Reference& full_name) const {
  return sys::unlink_if_exists(store_.fd(), ref_path(normalize(full_name)));
}

void ImageStore::remove_image(const Image& image, const std::function<void()>& check_unused) const {
  const sys::Lock gc = store_.lock_gc(sys::Lock::Mode::exclusive);
  if (check_unused) check_unused();
  // What is in the store now counts: the caller's copy may be older than another pull's record.
  const Image current = read_record(store_, image.id).value_or(image);
  remove_names_of(store_, current.id);
  const Needs others(store_, current.id);
  remove_file(store_, record_path(current.id));
  // From here on nothing refers to the rest; what a crash leaves of it remove_unreferenced() finds.
  if (!others.mention(current.id)) remove_file(store_, blob_path(config_digest(current)));
  if (!others.mention(current.manifest.hex)) remove_file(store_, blob_path(current.manifest));
  for (const Digest& layer : current.layers) {
    if (!others.mention(layer.hex)) LayerStore(store_).remove_layer(layer);
  }
  for (const MappedCopy& copy : list_mapped_copies()) {
    if (copy.image_id == current.id) store_.move_to_trash(copy.path);
  }
}

std::vector<ImageStore::MappedCopy> ImageStore::list_mapped_copies() const {
  std::vector<MappedCopy> copies;
  for (const std::string& name : sys::list_directory(store_.fd(), "maps"))
    copies.push_back({"maps/" + name, name.substr(0, name.find('@'))});
  return copies;
}

std::vector<std::string> ImageStore::find_unreferenced() const {
  const Needs needs(store_, "");
  std::vector<std::string> found;
  const auto add_unneeded = [&](const std::string& directory) {
    for (const std::string& name : sys::list_directory(store_.fd(), directory)) {
      if (!needs.mention(name)) found.push_back(concat(directory, '/', name));
    }
  };
  add_unneeded("layers");
  for (MappedCopy& copy : list_mapped_copies()) {
    if (!has_record_anywhere(store_, copy.image_id)) found.push_back(std::move(copy.path));
  }
  if (needs.may_need_any_blob()) return found;
  for (const std::string& algorithm : sys::list_directory(store_.fd(), "blobs"))
    add_unneeded("blobs/" + algorithm);
  return found;
}

std::size_t ImageStore::remove_unreferenced() const {
  const sys::Lock gc = store_.lock_gc(sys::Lock::Mode::exclusive);
  remove_dangling_refs(store_);
  remove_unfinished_records(store_);
  std::size_t removed = 0;
  for (const std::string& path : find_unreferenced()) {
    if (store_.move_to_trash(path)) ++removed;
  }
  return removed;
}

std::string ImageStore::read_config_json(const Image& image) const {
  return read_blob(store_, config_digest(image), max_config_bytes);
}

std::string ImageStore::read_manifest_json(const Image& image) const {
  return read_blob(store_, image.manifest, max_manifest_bytes);
}

}  // namespace knarr::storage
