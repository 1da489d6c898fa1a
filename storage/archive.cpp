// SPDX-License-Identifier: Apache-2.0
#include "storage/archive.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "rootless/sys/error.h"
#include "storage/archive_files.h"
#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/image/image_config_json.h"
#include "storage/image/plain_manifest.h"
#include "storage/image/platform.h"
#include "storage/layer/tar_header.h"
#include "storage/layer/unpack.h"

namespace knarr::storage {
namespace {

// An image as the archive describes it; nothing is unpacked yet.
struct ArchivedImage {
  Image image;  // without manifest and sizes when `manifest` is to be made
  std::string config_json;
  std::string manifest_json;  // empty: the archive has none (docker-archive)
  std::vector<LayerSource> layers;
  std::vector<Reference> names;
};

std::optional<Reference> parse_name(const std::string& text) {
  try {
    Reference name = normalize(parse_reference(text));
    if (name.digest) return std::nullopt;
    return name;
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
}

// ---- OCI layouts ----

// Where a blob lies: in an OCI layout, in a directory of skopeo's.
using BlobName = std::string (*)(const Digest&);
std::string layout_name(const Digest& digest) {
  return concat("blobs/", digest.algorithm, '/', digest.hex);
}
std::string directory_name(const Digest& digest) {
  return digest.hex;
}

std::string read_blob(const ArchiveFiles& files, const Descriptor& descriptor, std::size_t max_bytes,
                      BlobName blob_name) {
  const std::string what = "blob " + render(descriptor.digest);
  std::string bytes = files.read(blob_name(descriptor.digest), max_bytes);
  if (bytes.size() != descriptor.size) {
    throw InvalidArgument(concat(what, " has ", bytes.size(), " bytes, not ", descriptor.size));
  }
  verify_digest(bytes, descriptor.digest, what);
  return bytes;
}

// Follows indexes down to the manifest for this machine.
Descriptor descend(const ArchiveFiles& files, Descriptor descriptor, const Platform& platform) {
  constexpr int max_depth = 4;
  for (int depth = 0; is_index_type(descriptor.media_type); ++depth) {
    if (depth == max_depth) throw InvalidArgument("its indexes are nested too deeply");
    const Index index = parse_index(read_blob(files, descriptor, max_manifest_bytes, layout_name));
    require_type(index.media_type, descriptor);
    descriptor = Descriptor(require_platform(index, platform, "the archive"));
  }
  return descriptor;
}

LayerSource layer_source(const ArchiveFiles& files, const Descriptor& layer, const Digest& diff_id,
                         BlobName blob_name) {
  const std::string name = blob_name(layer.digest);
  require_layer(layer);
  if (files.size(name) != layer.size) {
    throw InvalidArgument(
        concat("layer ", render(layer.digest), " has ", files.size(name), " bytes, not ", layer.size));
  }
  return {{diff_id, layer.digest, files.stream(name)}, layer.size};
}

// Of a manifest whose digest was checked, or is given by nobody.
ArchivedImage read_image(const ArchiveFiles& files, std::string manifest_json, BlobName blob_name) {
  ArchivedImage archived;
  archived.manifest_json = std::move(manifest_json);
  const Manifest manifest = parse_manifest(archived.manifest_json);
  require_image_config(manifest.config);
  archived.config_json = read_blob(files, manifest.config, max_config_bytes, blob_name);
  archived.image = parse_image_config(archived.config_json, manifest.config.digest);
  archived.image.manifest_type = manifest.media_type;
  require_layer_count(manifest.layers.size(), archived.image.layers.size());
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    archived.layers.push_back(layer_source(files, manifest.layers[i], archived.image.layers[i], blob_name));
  }
  return archived;
}

ArchivedImage read_oci_image(const ArchiveFiles& files, const Descriptor& descriptor) {
  std::string manifest = read_blob(files, descriptor, max_manifest_bytes, layout_name);
  require_type(parse_manifest(manifest).media_type, descriptor);
  ArchivedImage archived = read_image(files, std::move(manifest), layout_name);
  archived.image.manifest = descriptor.digest;
  return archived;
}

// Of several images in a directory of skopeo's.
std::string read_directory_manifest(const ArchiveFiles& files, const Index& index, const Platform& platform) {
  const Descriptor& chosen = require_platform(index, platform, "the directory");
  std::string manifest = files.read(chosen.digest.hex + ".manifest.json", max_manifest_bytes);
  verify_digest(manifest, chosen.digest, "the manifest");
  require_type(parse_manifest(manifest).media_type, chosen);
  return manifest;
}

// What skopeo calls "dir:" and podman docker-dir: one image, its manifest beside the blobs, or a list of
// them.
ArchivedImage read_directory_image(const ArchiveFiles& files, const Platform& platform) {
  std::string manifest = files.read("manifest.json", max_manifest_bytes);
  if (is_index_document(manifest)) manifest = read_directory_manifest(files, parse_index(manifest), platform);
  ArchivedImage archived = read_image(files, std::move(manifest), directory_name);
  archived.image.manifest = digest_of(archived.manifest_json);
  return archived;
}

// containerd and docker give the whole name in an annotation of their own and only the tag in OCI's.
std::string annotated_name(const Descriptor& descriptor) {
  for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    const auto found = descriptor.annotations.find(key);
    if (found != descriptor.annotations.end() && !found->second.empty()) return found->second;
  }
  return {};
}

// What index.json offers: entries of one name are one image for several platforms.
std::map<std::string, std::vector<Descriptor>> group_by_name(const Index& index) {
  std::map<std::string, std::vector<Descriptor>> groups;
  for (const Descriptor& descriptor : index.manifests) {
    if (!is_attestation(descriptor)) groups[annotated_name(descriptor)].push_back(descriptor);
  }
  return groups;
}

// Of several for different platforms the one for this machine; those without a platform are images each.
std::vector<Descriptor> for_this_machine(const std::vector<Descriptor>& group, const Platform& platform) {
  if (group.size() == 1) return group;
  std::vector<Descriptor> chosen, with_platform;
  for (const Descriptor& descriptor : group) {
    (descriptor.architecture.empty() ? chosen : with_platform).push_back(descriptor);
  }
  if (const Descriptor* const best = choose_platform(with_platform, platform)) chosen.push_back(*best);
  return chosen;
}

std::vector<ArchivedImage> read_oci_layout(const ArchiveFiles& files) {
  const Index index = parse_index(files.read("index.json", max_manifest_bytes));
  const Platform platform = host_platform();
  std::map<Digest, ArchivedImage> images;  // one image may have several names
  for (const auto& group : group_by_name(index)) {
    const std::string& name = group.first;
    for (const Descriptor& offered : for_this_machine(group.second, platform)) {
      with_context(name.empty() ? "image " + render(offered.digest) : "image " + quote_name(name), [&] {
        const Descriptor descriptor = descend(files, offered, platform);
        const auto found = images.find(descriptor.digest);
        ArchivedImage& archived =
            found != images.end()
                ? found->second
                : images.emplace(descriptor.digest, read_oci_image(files, descriptor)).first->second;
        if (const auto reference = parse_name(name)) archived.names.push_back(*reference);
      });
    }
  }
  if (images.empty()) {
    throw NotFound(concat("the archive has no image for ", platform.os, '/', platform.architecture));
  }
  std::vector<ArchivedImage> all;
  for (auto& [digest, archived] : images) all.push_back(std::move(archived));
  return all;
}

bool is_called(const Descriptor& descriptor, const std::string& reference) {
  const std::string name = annotated_name(descriptor);
  if (name == reference) return true;
  const auto a = parse_name(name), b = parse_name(reference);
  return a && b && *a == *b;
}

// The one of this name; without a name, the only one.
std::vector<ArchivedImage> read_chosen_oci_image(const ArchiveFiles& files, const TransportName& name,
                                                 const Platform& platform) {
  const Index index = parse_index(files.read("index.json", max_manifest_bytes));
  std::vector<Descriptor> found;
  for (const Descriptor& descriptor : index.manifests) {
    if (is_attestation(descriptor)) continue;
    if (name.reference.empty() || is_called(descriptor, name.reference)) found.push_back(descriptor);
  }
  const bool has_one_name = std::all_of(found.begin(), found.end(), [&](const Descriptor& descriptor) {
    return !name.reference.empty() || annotated_name(descriptor) == annotated_name(found[0]);
  });
  found = for_this_machine(found, platform);
  if (found.empty()) {
    throw NotFound(name.reference.empty() ? "there is no image"
                                          : "there is no image " + quote_name(name.reference));
  }
  if (found.size() > 1 || !has_one_name)
    throw InvalidArgument("there are several images: name one behind the path");
  ArchivedImage archived = read_oci_image(files, descend(files, found[0], platform));
  const bool is_named = !name.reference.empty() || name.transport == Transport::oci_archive;
  const std::string own = name.reference.empty() ? annotated_name(found[0]) : name.reference;
  if (const auto reference = is_named ? parse_name(own) : std::nullopt) archived.names = {*reference};
  std::vector<ArchivedImage> images;
  images.push_back(std::move(archived));
  return images;
}

// ---- docker-archives ----

// "<hex>.json", "blobs/sha256/<hex>": the digest a name promises, if it does.
std::optional<Digest> digest_in_name(std::string_view name) {
  name = name.substr(name.rfind('/') + 1);
  return parse_digest(concat("sha256:", name.substr(0, name.find('.'))));
}

ArchivedImage read_docker_image(const ArchiveFiles& files, const ArchiveEntry& entry) {
  ArchivedImage archived;
  archived.config_json = files.read(entry.config, max_config_bytes);
  const Digest digest = digest_of(archived.config_json);
  if (const auto promised = digest_in_name(entry.config); promised && *promised != digest) {
    throw InvalidArgument(concat("config ", quote_name(entry.config), " has digest ", render(digest)));
  }
  archived.image = parse_image_config(archived.config_json, digest);
  require_layer_count(entry.layers.size(), archived.image.layers.size());
  for (std::size_t i = 0; i < entry.layers.size(); ++i) {
    const std::string& file = entry.layers[i];
    // Only a blob's name is the digest of its bytes; elsewhere it is a chainID, or what the writer liked.
    const auto blob = file.starts_with("blobs/") ? digest_in_name(file) : std::nullopt;
    archived.layers.push_back({{archived.image.layers[i], blob, files.stream(file)}, files.size(file)});
  }
  for (const std::string& tag : entry.repo_tags) {
    archived.names.push_back(normalize(parse_reference(tag)));
  }
  return archived;
}

std::vector<ArchivedImage> read_docker_archive(const ArchiveFiles& files) {
  std::vector<ArchivedImage> images;
  for (const ArchiveEntry& entry : parse_archive_manifest(files.read("manifest.json", max_manifest_bytes))) {
    with_context("image " + quote_name(entry.config),
                 [&] { images.push_back(read_docker_image(files, entry)); });
  }
  if (images.empty()) throw NotFound("the archive has no image");
  return images;
}

// "@0" is the first image; a name is one of docker's.
bool is_chosen(const ArchiveEntry& entry, std::size_t index, const std::string& reference) {
  if (reference.starts_with('@')) return reference == concat('@', index);
  const Reference wanted = parse_docker_name(reference);
  return std::any_of(entry.repo_tags.begin(), entry.repo_tags.end(),
                     [&](const std::string& tag) { return parse_docker_name(tag) == wanted; });
}

std::vector<ArchivedImage> read_chosen_docker_images(const ArchiveFiles& files, const TransportName& name) {
  if (name.reference.empty()) return read_docker_archive(files);
  const auto entries = parse_archive_manifest(files.read("manifest.json", max_manifest_bytes));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!is_chosen(entries[i], i, name.reference)) continue;
    std::vector<ArchivedImage> images;
    images.push_back(read_docker_image(files, entries[i]));
    if (!name.reference.starts_with('@')) images[0].names = {parse_docker_name(name.reference)};
    return images;
  }
  throw NotFound("there is no image " + quote_name(name.reference));
}

// ---- into the store ----

// An archive of newer dockers is both; the layout has a digest for every byte.
Transport format_of(const ArchiveFiles& files) {
  if (files.has("oci-layout") && files.has("index.json"))
    return files.is_directory() ? Transport::oci : Transport::oci_archive;
  if (files.has("version") && files.has("manifest.json")) return Transport::dir;
  if (files.has("manifest.json")) return Transport::docker_archive;
  throw InvalidArgument(
      "it is neither a docker-archive (no manifest.json) nor an OCI layout (no index.json)");
}

std::vector<ArchivedImage> read_images(const ArchiveFiles& files, Transport format) {
  if (format == Transport::docker_archive) return read_docker_archive(files);
  if (format != Transport::dir) return read_oci_layout(files);
  std::vector<ArchivedImage> images;
  images.push_back(read_directory_image(files, host_platform()));
  return images;
}

LoadedImage publish(const Store& store, ArchivedImage& archived) {
  const std::vector<LayerMeta> metas = unpack_layers(store, archived.layers);
  if (archived.manifest_json.empty())
    archived.manifest_json = make_plain_manifest(archived.image, archived.config_json.size(), metas);
  add_sizes(archived.image, metas);
  ImageStore(store).add_image(archived.image, archived.manifest_json, archived.config_json, archived.names);
  LoadedImage loaded{std::move(archived.image), {}};
  for (const Reference& name : archived.names) loaded.names.push_back(render(name));
  return loaded;
}

using ReadImages = std::function<std::vector<ArchivedImage>(const ArchiveFiles&)>;

std::vector<LoadedImage> load_images(const Store& store, const std::string& path, Settling settling,
                                     const ReadImages& read) {
  return with_context(concat("loading ", path == "-" ? "standard input" : path), [&] {
    const std::unique_ptr<ArchiveFiles> files = open_archive(store, path);
    std::vector<ArchivedImage> images = read(*files);
    // From the first layer to the record that refers to it nobody may prune.
    const sys::Lock gc = store.lock_gc(sys::Lock::Mode::shared);
    std::vector<LoadedImage> loaded;
    std::vector<Digest> diff_ids;
    for (ArchivedImage& archived : images) {
      diff_ids.insert(diff_ids.end(), archived.image.layers.begin(), archived.image.layers.end());
      loaded.push_back(publish(store, archived));
    }
    settle_layers(store, diff_ids, settling);
    return loaded;
  });
}

}  // namespace

std::vector<LoadedImage> load_archive(const Store& store, const std::string& path, Settling settling,
                                      const Admission& admit) {
  return load_images(store, path, settling, [&](const ArchiveFiles& files) {
    const Transport format = format_of(files);
    if (admit) admit(format);
    return read_images(files, format);
  });
}

std::vector<LoadedImage> load_transport(const Store& store, const TransportName& name,
                                        const Platform& platform, Settling settling) {
  const auto read = [&](const ArchiveFiles& files) -> std::vector<ArchivedImage> {
    switch (name.transport) {
      case Transport::oci:
      case Transport::oci_archive:
        return read_chosen_oci_image(files, name, platform);
      case Transport::docker_archive:
        return read_chosen_docker_images(files, name);
      case Transport::dir: {
        std::vector<ArchivedImage> images;
        images.push_back(read_directory_image(files, platform));
        return images;
      }
      case Transport::docker:
      case Transport::containers_storage:
        break;
    }
    throw Unsupported(concat("reading ", transport_name(name.transport), ": as files"));
  };
  return load_images(store, name.path, settling, read);
}

}  // namespace knarr::storage
