// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/list_push.h"

#include "rootless/sys/error.h"
#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/registry/blob_upload.h"
#include "storage/registry/remote_manifest.h"

namespace knarr::storage {
namespace {

class ListPusher {
 public:
  ListPusher(const Store& store, const RegistriesConfig& config, const RegistryAccess& access,
             const Reference& destination, const ListPushOptions& options)
      : store_(store),
        config_(config),
        access_(access),
        registry_(registry_options(access, plan_push(config, destination)), destination.path),
        options_(options) {}

  Digest push(ManifestList list, const std::string& tag) {
    if (options_.with_images) {
      const ListImages images(store_, list);
      for (ListEntry& entry : list.entries) push_image_of(images, entry);
    }
    const std::string_view type = options_.kind == ManifestKind::oci ? oci_index_type : docker_list_type;
    const std::string index = render_index(index_of(list, type));
    registry_.put_manifest(tag, std::string(type), index);
    return digest_of(index);
  }

 private:
  void push_image_of(const ListImages& images, ListEntry& entry) {
    const std::string what = "image " + render(entry.descriptor.digest);
    with_context(what, [&] {
      if (const Image* const image = images.find(entry)) {
        const Descriptor pushed = push_image(store_, registry_, *image, "", options_.images);
        entry.descriptor.media_type = pushed.media_type;
        entry.descriptor.digest = pushed.digest;
        entry.descriptor.size = pushed.size;
      } else if (!entry.source.empty()) {
        copy_image(entry);
      } else {
        throw NotFound("it is not in the store any more");
      }
    });
  }

  // As it is, from one registry to the other.
  void copy_image(const ListEntry& entry) {
    RemoteManifest remote = fetch_remote_manifest(config_, access_, entry.source);
    if (!is_index_type(remote.manifest.media_type)) {
      const Manifest manifest = parse_manifest(remote.manifest.bytes);
      for (const Descriptor& layer : manifest.layers) {
        if (!is_foreign_layer(layer) || layer.urls.empty()) copy_blob(*remote.registry, layer);
      }
      copy_blob(*remote.registry, manifest.config);
    }
    registry_.put_manifest(render(remote.manifest.digest), remote.manifest.media_type, remote.manifest.bytes);
  }

  void copy_blob(Registry& from, const Descriptor& blob) {
    if (registry_.has_blob(blob.digest)) return;
    const bool is_neighbour = from.host() == registry_.host() && from.repository() != registry_.repository();
    if (is_neighbour && registry_.mount_blob(blob.digest, from.repository())) return;
    const UploadedBlob uploaded = upload_stream(
        store_, registry_, [&] { return from.open_blob(blob.digest, blob.size); }, access_.retry);
    if (uploaded.digest != blob.digest) {
      throw InvalidArgument(concat("blob ", render(blob.digest), " of ", from.place(), " has digest ",
                                   render(uploaded.digest)));
    }
  }

  const Store& store_;
  const RegistriesConfig& config_;
  const RegistryAccess& access_;
  Registry registry_;
  const ListPushOptions& options_;
};

}  // namespace

Digest push_list(const Store& store, const RegistriesConfig& config, const RegistryAccess& access,
                 const ManifestList& list, const Reference& destination, const ListPushOptions& options) {
  return ListPusher(store, config, access, destination, options).push(list, destination.tag);
}

}  // namespace knarr::storage
