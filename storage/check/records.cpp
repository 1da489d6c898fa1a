// SPDX-License-Identifier: Apache-2.0
#include "storage/check/records.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "rootless/sys/error.h"
#include "storage/content/hash.h"
#include "storage/image/image_config_json.h"
#include "storage/image/image_store.h"
#include "storage/image/ref_links.h"
#include "storage/layer/layer.h"
#include "storage/reference.h"

namespace knarr::storage {
namespace {

constexpr std::string_view link_prefix = "../images/";
constexpr std::string_view record_suffix = ".json";
constexpr std::size_t short_id_digits = 12;

std::optional<std::string> id_of(std::string_view file) {
  if (!file.ends_with(record_suffix)) return std::nullopt;
  file.remove_suffix(record_suffix.size());
  const auto digest = parse_digest(concat(file.size() == 128 ? "sha512:" : "sha256:", file));
  return digest ? std::optional(digest->hex) : std::nullopt;
}

Digest config_digest(const std::string& id) {
  return {id.size() == 128 ? "sha512" : "sha256", id};
}

std::string label_of(const std::string& id, const std::vector<CheckedName>& names) {
  std::string label;
  for (const CheckedName& name : names) {
    if (name.id == id) label += (label.empty() ? "" : ", ") + name.name;
  }
  return label.empty() ? id.substr(0, short_id_digits) : label;
}

void read_record(const Store& store, CheckedRecord& record) {
  try {
    Image image = parse_image_record(sys::read_file(store.fd(), record.path));
    if (image.id == record.id) {
      record.image = std::move(image);
    } else {
      record.problem = concat("its record is that of image ", image.id);
    }
  } catch (const Error& error) {
    record.problem = concat("its record cannot be read: ", error.message());
  }
}

void hash_file(int fd, Hasher& hasher) {
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return;
    if (got > 0) {
      hasher.update({buffer.data(), static_cast<std::size_t>(got)});
    } else if (errno != EINTR) {
      throw_errno("reading it");
    }
  }
}

// The manifest that names this config, among the blobs.
std::optional<std::pair<Digest, Manifest>> find_manifest(const Store& store, const std::string& config_hex) {
  for (const std::string& hex : sys::list_directory(store.fd(), "blobs/sha256")) {
    const Digest digest{"sha256", hex};
    try {
      const std::string json = sys::read_file(store.fd(), blob_path(digest), max_manifest_bytes);
      if (json.find(config_hex) == std::string::npos) continue;
      verify_digest(json, digest, "it");
      Manifest manifest = parse_manifest(json);
      if (manifest.config.digest.hex == config_hex) return std::pair(digest, std::move(manifest));
    } catch (const Error&) {
      // Damaged, or something else that mentions the config.
    }
  }
  return std::nullopt;
}

}  // namespace

std::string blob_path(const Digest& digest) {
  return concat("blobs/", digest.algorithm, '/', digest.hex);
}

void Needers::add(const CheckedRecord& record) {
  if (!ids.empty() && ids.back() == record.id) return;  // an image may have one layer twice
  ids.push_back(record.id);
  labels.push_back(record.label);
}

std::vector<CheckedName> read_names(const Store& store) {
  std::vector<CheckedName> names;
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    if (file.starts_with('.')) continue;  // about to become a name
    if (read_list_ref(store, "refs/" + file)) continue;
    CheckedName name{.path = "refs/" + file, .name = unescape_name(file), .id = {}};
    const auto target = sys::read_link(store.fd(), name.path);
    if (target && target->starts_with(link_prefix)) name.id = id_of(target->substr(link_prefix.size()));
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<CheckedRecord> read_records(const Store& store) {
  const std::vector<CheckedName> names = read_names(store);
  std::vector<CheckedRecord> records;
  for (const std::string& file : sys::list_directory(store.fd(), "images")) {
    const auto id = id_of(file);
    if (!id) continue;
    CheckedRecord record{
        .id = *id, .path = "images/" + file, .label = label_of(*id, names), .image = {}, .problem = {}};
    read_record(store, record);
    records.push_back(std::move(record));
  }
  return records;
}

std::string fetch_again(const std::vector<std::string>& image_labels) {
  std::string cure;
  for (const std::string& label : image_labels) {
    // The first of its names; an id cannot be asked for.
    const std::string name = label.substr(0, label.find(','));
    const bool in_registry = name.find('/') != std::string::npos && !name.starts_with("localhost/");
    cure += concat(cure.empty() ? "" : "; ",
                   in_registry ? "knarr pull " + name : concat("load or build ", name, " again"));
  }
  return cure;
}

std::string find_blob_problem(const Store& store, const Digest& digest) {
  try {
    const sys::UniqueFd fd = sys::find_at(store.fd(), blob_path(digest), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) return "it is missing";
    Hasher hasher(digest.algorithm);
    hash_file(fd.get(), hasher);
    const Digest found = hasher.finish();
    return found == digest ? "" : concat("its content has digest ", render(found));
  } catch (const Error& error) {
    return concat("it cannot be read: ", error.message());
  }
}

bool rebuild_record(const Store& store, const std::string& id) {
  try {
    const Digest digest = config_digest(id);
    const std::string config = sys::read_file(store.fd(), blob_path(digest), max_config_bytes);
    verify_digest(config, digest, "the config");
    const auto manifest = find_manifest(store, id);
    if (!manifest) return false;
    Image image = parse_image_config(config, digest);
    image.manifest = manifest->first;
    image.manifest_type = manifest->second.media_type;
    for (const Digest& layer : image.layers) {
      const auto meta = LayerStore(store).find_layer(layer);
      image.layer_sizes.push_back(meta ? meta->tree_bytes : 0);
      image.size += image.layer_sizes.back();
    }
    store.move_to_trash(concat("images/", id, record_suffix));
    sys::create_file(store.fd(), concat("images/", id, record_suffix), render_image_record(image), 0600,
                     sys::Durability::synced);
    return true;
  } catch (const InvalidArgument&) {
    return false;
  } catch (const SysError&) {
    return false;
  }
}

}  // namespace knarr::storage
