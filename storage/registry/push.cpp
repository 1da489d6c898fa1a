// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/push.h"

#include <algorithm>
#include <deque>
#include <map>

#include "rootless/sys/error.h"
#include "storage/content/compress.h"
#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/layer/assemble.h"
#include "storage/layer/parallel_run.h"
#include "storage/registry/blob_upload.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_layers_at_once = 3;
constexpr std::size_t max_blobs_to_ask_for = 4;
constexpr std::size_t max_mounts_to_try = 3;

bool fits(const ShippedBlob& blob, ManifestKind kind, const LayerCompression& wanted) {
  if (wanted.is_forced && blob.compression != wanted.format.value_or(Compression::gzip)) return false;
  if (blob.compression == Compression::zstd) return kind == ManifestKind::oci;
  return blob.compression == Compression::gzip || blob.compression == Compression::none;
}

// The layers of one image on their way to a repository.
class LayerShipment {
 public:
  // `originals`: as the image came.
  LayerShipment(const Store& store, Registry& registry, const Image& image, std::vector<Descriptor> originals,
                ManifestKind kind, const PushOptions& options)
      : store_(store),
        registry_(registry),
        kind_(kind),
        options_(options),
        feed_(options.progress),
        layers_(image.layers),
        originals_(std::move(originals)),
        shipped_(image.layers.size()) {
    require_layer_count(originals_.size(), layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) add(i);
  }

  std::vector<Descriptor> run() {
    ParallelRun parallel;
    parallel.run(order_.size(), max_layers_at_once, [&](std::size_t next) {
      const std::size_t index = order_[next];
      shipped_[index] = ship(index, parallel);
    });
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (first_.at(layers_[i]) != i) shipped_[i] = shipped_[first_.at(layers_[i])];
    }
    return std::move(shipped_);
  }

 private:
  // The same layer twice travels once. The largest begin.
  void add(std::size_t index) {
    const std::optional<LayerMeta> meta = LayerStore(store_).find_layer(layers_[index]);
    if (!meta) throw NotFound(concat("layer ", render(layers_[index]), " is not in the store"));
    sizes_.push_back(meta->tar_bytes);
    reports_.emplace_back(
        LayerProgress{
            .index = index, .count = layers_.size(), .digest = layers_[index], .size = meta->tar_bytes},
        feed_);
    reports_.back().change(LayerState::waiting);
    if (!first_.emplace(layers_[index], index).second) return;
    const auto smaller = std::find_if(order_.begin(), order_.end(),
                                      [&](std::size_t other) { return sizes_[other] < meta->tar_bytes; });
    order_.insert(smaller, index);
  }

  Descriptor ship(std::size_t index, const ParallelRun& parallel) {
    const Descriptor& original = originals_[index];
    // Its registry need not have it, so no other one must.
    if (is_foreign_layer(original) && !original.urls.empty()) {
      reports_[index].change(LayerState::exists);
      return original;
    }
    if (const auto there = find_there(index)) return describe(index, *there);
    return describe(index, upload(index, parallel));
  }

  std::optional<ShippedBlob> find_there(std::size_t index) {
    for (ShippedBlob& blob : choose_shipped_blobs(list_shipped_blobs(store_, layers_[index]),
                                                  originals_[index].digest, kind_, options_.compression)) {
      if (registry_.has_blob(blob.digest)) {
        reports_[index].change(LayerState::exists);
        return std::move(blob);
      }
      for (const std::string& from :
           repositories_to_mount_from(blob.places, registry_.host(), registry_.repository())) {
        if (!registry_.mount_blob(blob.digest, from)) continue;
        reports_[index].change(LayerState::mounted);
        return std::move(blob);
      }
    }
    return std::nullopt;
  }

  ShippedBlob upload(std::size_t index, const ParallelRun& parallel) {
    const Compression compression = options_.compression.format.value_or(Compression::gzip);
    const Digest& layer = layers_[index];
    LayerReport& report = reports_[index];
    const auto open = [&] {
      report.begin_copying();
      const ByteSource tar = layer_tar(store_, layer);
      const ByteSource counted = [&, tar](char* buffer, std::size_t room) {
        if (parallel.has_failed()) throw Error("given up because another layer failed");
        const std::size_t got = tar(buffer, room);
        report.advance(got);
        return got;
      };
      return compress_source(counted, compression, options_.compression.level);
    };
    const UploadedBlob uploaded = upload_stream(store_, registry_, open, options_.retry);
    report.change(LayerState::done);
    return {uploaded.digest, uploaded.size, compression, {}};
  }

  // At once, not at the end: a push that is killed and repeated sends no layer twice.
  Descriptor describe(std::size_t index, ShippedBlob blob) {
    blob.places = {registry_.place()};
    note_shipped_blob(store_, layers_[index], blob);
    Descriptor descriptor;
    descriptor.media_type = layer_media_type(kind_, blob.compression);
    descriptor.digest = blob.digest;
    descriptor.size = blob.size;
    if (kind_ == ManifestKind::oci && blob.digest == originals_[index].digest)
      descriptor.annotations = originals_[index].annotations;
    return descriptor;
  }

  const Store& store_;
  Registry& registry_;
  ManifestKind kind_;
  const PushOptions& options_;
  ProgressFeed feed_;
  std::vector<Digest> layers_;
  std::vector<Descriptor> originals_;
  std::vector<std::uint64_t> sizes_;
  std::deque<LayerReport> reports_;
  std::map<Digest, std::size_t> first_;  // of each diffID
  std::vector<std::size_t> order_;
  std::vector<Descriptor> shipped_;
};

}  // namespace

ManifestKind choose_manifest_kind(const PushOptions& options, std::string_view image_type) {
  const bool is_zstd = options.compression.format == Compression::zstd;
  if (options.kind == ManifestKind::docker && is_zstd) {
    throw InvalidArgument("layers compressed by zstd need a manifest of the format oci, not v2s2");
  }
  if (options.kind) return *options.kind;
  return is_zstd ? ManifestKind::oci : kind_of_manifest(image_type);
}

std::vector<ShippedBlob> choose_shipped_blobs(std::vector<ShippedBlob> known, const Digest& original,
                                              ManifestKind kind, const LayerCompression& compression) {
  std::erase_if(known, [&](const ShippedBlob& blob) { return !fits(blob, kind, compression); });
  std::stable_partition(known.begin(), known.end(),
                        [&](const ShippedBlob& blob) { return blob.digest == original; });
  if (known.size() > max_blobs_to_ask_for) known.resize(max_blobs_to_ask_for);
  return known;
}

std::vector<std::string> repositories_to_mount_from(const std::vector<std::string>& places,
                                                    const std::string& host, const std::string& repository) {
  std::vector<std::string> found;
  for (const std::string& place : places) {
    if (!place.starts_with(host + '/')) continue;
    std::string other = place.substr(host.size() + 1);
    if (other != repository) found.push_back(std::move(other));
    if (found.size() == max_mounts_to_try) break;
  }
  return found;
}

Descriptor push_image(const Store& store, Registry& registry, const Image& image, const std::string& tag,
                      const PushOptions& options) {
  const ManifestKind kind = choose_manifest_kind(options, image.manifest_type);
  // Another process may remove the image meanwhile, but not what it is made of.
  const LayerClaim claim(store, contents_of(image));
  const std::string original = ImageStore(store).read_manifest_json(image);
  const std::string config = read_verified_config(store, image);
  std::vector<Descriptor> layers =
      LayerShipment(store, registry, image, parse_manifest(original).layers, kind, options).run();
  const Digest config_digest{"sha256", image.id};
  if (!registry.has_blob(config_digest)) registry.upload_blob(config_digest, config);
  const std::string manifest = compose_manifest(image, original, kind, config.size(), std::move(layers));
  Descriptor pushed;
  pushed.media_type = manifest_media_type(kind);
  pushed.digest = digest_of(manifest);
  pushed.size = manifest.size();
  pushed.architecture = image.architecture;
  pushed.os = image.os;
  pushed.variant = image.variant;
  registry.put_manifest(tag.empty() ? render(pushed.digest) : tag, pushed.media_type, manifest);
  return pushed;
}

Digest push_to_registry(const Store& store, const RegistriesConfig& config, const RegistryAccess& access,
                        const Image& image, const Reference& destination, const PushOptions& options) {
  Registry registry(registry_options(access, plan_push(config, destination)), destination.path);
  const Digest digest = push_image(store, registry, image, destination.tag, options).digest;
  store.sweep_staging();  // what killed pulls and pushes left
  return digest;
}

Reference parse_destination(std::string_view name) {
  Reference reference = parse_docker_name(name);
  if (!reference.digest) return reference;
  throw InvalidArgument(concat("destination \"", name, "\": what is pushed has a digest of its own"));
}

}  // namespace knarr::storage
