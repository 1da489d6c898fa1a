// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/pull.h"

#include <algorithm>
#include <deque>

#include "storage/image/image_checks.h"
#include "storage/layer/shipped_blobs.h"
#include "storage/layer/unpack.h"
#include "storage/registry/blob_source.h"
#include "storage/registry/layer_fetch.h"
#include "storage/registry/lookaside.h"
#include "storage/registry/policy.h"
#include "storage/registry/remote_manifest.h"
#include "storage/registry/signatures.h"

namespace knarr::storage {
namespace {

constexpr int max_index_depth = 4;

bool is_for(const Image& image, const Platform& wanted) {
  const auto agrees = [](const std::string& asked, const std::string& has) {
    return asked.empty() || asked == has;
  };
  return agrees(wanted.os, image.os) && agrees(wanted.architecture, image.architecture) &&
         agrees(wanted.variant, image.variant);
}

// ---- the documents ----

struct RemoteImage {
  Image image;  // without sizes
  std::string manifest_json;
  std::string config_json;
  std::vector<Descriptor> layers;
};

struct FoundManifest {
  FetchedManifest manifest;
  std::vector<Digest> indexes;  // that led to it
};

// Follows indexes down to the manifest for the platform.
FoundManifest find_manifest(Registry& registry, const std::string& reference, const Platform& platform) {
  FoundManifest chain{registry.get_manifest(reference), {}};
  FetchedManifest& found = chain.manifest;
  for (int depth = 0; is_index_type(found.media_type); ++depth) {
    if (depth == max_index_depth) throw InvalidArgument("its indexes are nested too deeply");
    const Descriptor chosen =
        with_context(concat("index ", registry.host(), '/', registry.repository(), '@', render(found.digest)),
                     [&] { return Descriptor(require_platform(parse_index(found.bytes), platform, "it")); });
    FetchedManifest next = registry.get_manifest(render(chosen.digest));
    require_type(next.media_type, chosen);
    if (next.bytes.size() != chosen.size) {
      throw InvalidArgument(concat("manifest ", render(chosen.digest), " has ", next.bytes.size(),
                                   " bytes, not ", chosen.size));
    }
    chain.indexes.push_back(found.digest);
    found = std::move(next);
  }
  return chain;
}

RemoteImage read_image(Registry& registry, FoundManifest found) {
  FetchedManifest& fetched = found.manifest;
  const Manifest manifest = parse_manifest(fetched.bytes);
  require_image_config(manifest.config);
  for (const Descriptor& layer : manifest.layers) require_layer(layer);
  if (manifest.config.size > max_config_bytes) {
    throw InvalidArgument(concat("its config is longer than ", max_config_bytes, " bytes"));
  }
  RemoteImage remote;
  remote.config_json = registry.get_blob(manifest.config.digest, manifest.config.size);
  remote.image = parse_image_config(remote.config_json, manifest.config.digest);
  remote.image.manifest = fetched.digest;
  remote.image.manifest_type = fetched.media_type;
  remote.image.indexes = std::move(found.indexes);
  remote.manifest_json = std::move(fetched.bytes);
  remote.layers = manifest.layers;
  require_layer_count(remote.layers.size(), remote.image.layers.size());
  return remote;
}

// ---- the layers ----

// A layer its registry need not have is fetched from where its descriptor says, as anybody would: what is
// written there is the image's, so it gets no name, no password and no certificate of the user's.
class ForeignFetcher {
 public:
  ForeignFetcher(Registry& registry, RetryPolicy retry) : registry_(registry), retry_(retry), client_({}) {}

  ByteSource open(const Descriptor& layer, std::uint64_t offset) {
    const auto open_at = [this, layer](std::uint64_t from) { return open_at_first_place(layer, from); };
    return read_blob_from(open_at, offset, layer.size, retry_);
  }

 private:
  HttpStream open_at_first_place(const Descriptor& layer, std::uint64_t offset) {
    for (const std::string& url : layer.urls) {
      try {
        HttpRequest request{.url = parse_url(url)};
        add_range(request, offset);
        HttpStream stream = open_with_retries(client_, request, retry_);
        if (stream.status() == 200 || stream.status() == 206) return stream;
      } catch (const TransferError&) {
        // The next place, and in the end the registry, which says what there is to say.
      }
    }
    return registry_.open_blob_at(layer.digest, offset);
  }

  Registry& registry_;
  RetryPolicy retry_;
  HttpClient client_;
};

// The layers of one image on their way into the store.
class LayerDelivery {
 public:
  LayerDelivery(const Store& store, Registry& registry, const RemoteImage& remote, const PullRequest& request)
      : store_(store),
        registry_(registry),
        remote_(remote),
        feed_(request.progress),
        foreign_(registry, request.access.retry) {
    for (std::size_t i = 0; i < remote.layers.size(); ++i) add(i);
  }

  std::vector<LayerMeta> run() {
    tell_what_is_there();
    std::vector<LayerMeta> metas = unpack_with_second_chance();
    for (LayerFetch& fetch : fetches_) fetch.settle();
    note_where_layers_are();
    return metas;
  }

 private:
  void add(std::size_t index) {
    const Descriptor& layer = remote_.layers[index];
    const LayerProgress progress{
        .index = index, .count = remote_.layers.size(), .digest = layer.digest, .size = layer.size};
    fetches_.emplace_back(
        store_, progress,
        [this, &layer](std::uint64_t offset) {
          return is_foreign_layer(layer) && !layer.urls.empty()
                     ? foreign_.open(layer, offset)
                     : registry_.open_blob(layer.digest, layer.size, offset);
        },
        feed_);
    sources_.push_back(fetches_.back().source(remote_.image.layers[index]));
  }

  void tell_what_is_there() {
    for (std::size_t i = 0; i < fetches_.size(); ++i) {
      const bool exists = LayerStore(store_).find_layer(remote_.image.layers[i]).has_value();
      fetches_[i].announce(exists ? LayerState::exists : LayerState::waiting);
    }
  }

  void note_where_layers_are() const {
    const std::string place = registry_.place();
    for (std::size_t i = 0; i < remote_.layers.size(); ++i)
      note_place_of_blob(store_, remote_.image.layers[i], remote_.layers[i].digest, place);
  }

  // Kept bytes may be torn by a power cut: then the layer is wrong, and is fetched whole. Once: what comes
  // fresh from the registry is right or will not become so.
  std::vector<LayerMeta> unpack_with_second_chance() {
    try {
      return unpack_layers(store_, sources_);
    } catch (const InvalidArgument&) {
      bool has_suspects = false;
      for (LayerFetch& fetch : fetches_) {
        has_suspects |= fetch.is_suspect();
        fetch.start_over();
      }
      if (!has_suspects) throw;
    }
    return unpack_layers(store_, sources_);
  }

  const Store& store_;
  Registry& registry_;
  const RemoteImage& remote_;
  ProgressFeed feed_;
  ForeignFetcher foreign_;
  std::deque<LayerFetch> fetches_;  // their addresses stay
  std::vector<LayerSource> sources_;
};

// ---- one source, all sources ----

class Puller {
 public:
  Puller(const Store& store, const RegistriesConfig& config, const PullRequest& request)
      : store_(store),
        config_(config),
        request_(request),
        platform_(complete_platform(request.platform)),
        policy_(load_policy(request.access.places, request.signature_policy)) {}

  PulledImage run() {
    const Reference reference = parse_remote_name(request_.name);
    present_ = find_present(reference);
    if (request_.policy == PullPolicy::never && !present_) {
      throw NotFound(concat("image \"", request_.name, "\" is not in the local store"));
    }
    if (present_ && (request_.policy == PullPolicy::missing || request_.policy == PullPolicy::never)) {
      return keep_present();
    }
    try {
      return pull_by_name(reference);
    } catch (const Error&) {
      if (request_.policy != PullPolicy::newer || !present_) throw;
      return keep_present();
    }
  }

 private:
  std::optional<Image> find_present(const Reference& reference) const {
    std::optional<Image> image = ImageStore(store_).find_record(render(reference));
    if (image && !is_for(*image, request_.platform)) return std::nullopt;
    return image;
  }

  PulledImage keep_present() const {
    const std::string name = render(parse_remote_name(request_.name));
    return {*present_, ImageStore(store_).resolve_name(name).value_or(""), true};
  }

  PulledImage pull_by_name(const Reference& reference) {
    const std::vector<Reference> ambiguous =
        request_.choose ? list_ambiguous_names(config_, reference) : std::vector<Reference>();
    if (ambiguous.empty()) return pull_first_of(resolve_short_name(config_, reference));
    const Reference& chosen = ambiguous.at(request_.choose(ambiguous));
    PulledImage pulled = pull_first_of({chosen});
    try {
      record_alias(request_.access.places, reference, chosen);
    } catch (const Error& error) {
      say(concat("WARNING: the answer will be asked for again: ", error.message()));
    }
    return pulled;
  }

  PulledImage pull_first_of(const std::vector<Reference>& candidates) {
    std::vector<std::string> failures;
    std::string hint;
    for (const Reference& candidate : candidates) {
      const Reference name = normalize(candidate);
      say(concat("Trying to pull ", render(name), "..."));
      const std::vector<PullSource> sources = plan_pull(config_, name);
      for (std::size_t i = 0; i < sources.size(); ++i) {
        try {
          return pull_from(sources[i], name);
        } catch (const SysError&) {
          throw;  // a full disk is as full for the next source
        } catch (const Error& error) {
          if (candidates.size() == 1 && sources.size() == 1) throw;
          failures.push_back(concat(sources[i].is_mirror ? "mirror " : "", render(sources[i].reference), ": ",
                                    error.message()));
          if (!error.hint().empty()) hint = error.hint();
        }
      }
    }
    std::string message;
    for (const std::string& failure : failures) message += (message.empty() ? "" : "; ") + failure;
    Error error(concat("none of ", failures.size(), " sources has ", request_.name, ": ", message));
    error.set_hint(hint);
    throw error;
  }

  PulledImage pull_from(const PullSource& source, const Reference& name) {
    Registry registry(registry_options(request_.access, source), source.reference.path);
    FoundManifest found = find_manifest(registry, wanted_manifest(source.reference), platform_);
    if (request_.policy == PullPolicy::newer && present_ && present_->manifest == found.manifest.digest) {
      return keep_present();
    }
    // Before anything of the image is looked into.
    check_policy(policy_, {.reference = name,
                           .manifest = found.manifest.bytes,
                           .fetch_sigstore_signatures =
                               [&] { return fetch_sigstore_signatures(registry, found.manifest.digest); },
                           .fetch_simple_signatures =
                               [&] {
                                 return fetch_simple_signatures(request_.access.places, source.reference,
                                                                found.manifest.digest, request_.access.retry);
                               }});
    RemoteImage remote =
        with_context(concat("image ", render(name)), [&] { return read_image(registry, std::move(found)); });
    warn_of_other_platform(remote.image);
    return bring(registry, std::move(remote), name);
  }

  PulledImage bring(Registry& registry, RemoteImage remote, const Reference& name) {
    const LayerClaim claim(store_, remote.image.layers);
    add_sizes(remote.image, LayerDelivery(store_, registry, remote, request_).run());
    keep_known_indexes(remote.image);
    ImageStore(store_).add_image(remote.image, remote.manifest_json, remote.config_json, {name});
    return {std::move(remote.image), render(name), false};
  }

  // Under another name the same image may have come from another index.
  void keep_known_indexes(Image& image) const {
    const std::optional<Image> known = ImageStore(store_).find_record("sha256:" + image.id);
    if (!known) return;
    for (const Digest& index : known->indexes) {
      if (std::find(image.indexes.begin(), image.indexes.end(), index) == image.indexes.end()) {
        image.indexes.push_back(index);
      }
    }
  }

  // A manifest that stands alone is taken as it is: there is nothing to choose.
  void warn_of_other_platform(const Image& image) const {
    if (image.os == platform_.os && image.architecture == platform_.architecture) return;
    say(concat("WARNING: the image is for ", image.os, '/', image.architecture, ", not for ", platform_.os,
               '/', platform_.architecture));
  }

  void say(const std::string& line) const {
    if (request_.say) request_.say(line);
  }

  const Store& store_;
  const RegistriesConfig& config_;
  const PullRequest& request_;
  Platform platform_;
  Policy policy_;
  std::optional<Image> present_;
};

}  // namespace

PulledImage pull_image(const Store& store, const RegistriesConfig& config, const PullRequest& request) {
  PulledImage pulled = Puller(store, config, request).run();
  store.sweep_staging();  // what killed pulls left
  if (!pulled.was_present || request.settling == Settling::now)
    settle_layers(store, pulled.image.layers, request.settling);
  return pulled;
}

std::vector<std::string> list_all_tags(const RegistriesConfig& config, const PullRequest& request) {
  const Reference reference = parse_remote_name(request.name);
  if (!reference.tag.empty() || reference.digest) {
    throw InvalidArgument(
        concat("\"", request.name, "\": all tags are asked for, so the name must have none"));
  }
  const Reference name = normalize(resolve_short_name(config, reference).front());
  const std::vector<PullSource> sources = plan_pull(config, name);
  const PullSource& origin = sources.back();
  std::vector<std::string> names;
  for (const std::string& tag :
       Registry(registry_options(request.access, origin), origin.reference.path).list_tags()) {
    names.push_back(concat(name.domain, '/', name.path, ':', tag));
  }
  return names;
}

}  // namespace knarr::storage
