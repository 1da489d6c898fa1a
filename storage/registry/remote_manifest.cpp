// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/remote_manifest.h"

#include "rootless/sys/error.h"
#include "storage/image/image_checks.h"

namespace knarr::storage {
namespace {

// "HOST/REPOSITORY@DIGEST" of what `remote` is or leads to.
std::string source_of(const RemoteManifest& remote, const Digest& digest) {
  Reference source = remote.name;
  source.tag.clear();
  source.digest = digest;
  return render(source);
}

Descriptor describe(const RemoteManifest& remote) {
  Descriptor descriptor;
  descriptor.media_type = remote.manifest.media_type;
  descriptor.digest = remote.manifest.digest;
  descriptor.size = remote.manifest.bytes.size();
  return descriptor;
}

// Only its config says what machine an image is for.
Descriptor describe_image(RemoteManifest& remote) {
  const Manifest manifest = parse_manifest(remote.manifest.bytes);
  require_image_config(manifest.config);
  if (manifest.config.size > max_config_bytes)
    throw InvalidArgument(concat("its config is longer than ", max_config_bytes, " bytes"));
  const Image image = parse_image_config(
      remote.registry->get_blob(manifest.config.digest, manifest.config.size), manifest.config.digest);
  Descriptor descriptor = describe(remote);
  descriptor.architecture = image.architecture;
  descriptor.os = image.os;
  descriptor.variant = image.variant;
  return descriptor;
}

}  // namespace

Reference parse_remote_name(std::string_view name) {
  constexpr std::string_view transport = "docker://";
  if (name.starts_with(transport)) name.remove_prefix(transport.size());
  return parse_reference(name);
}

std::string wanted_manifest(const Reference& reference) {
  if (reference.digest) return render(*reference.digest);
  return reference.tag.empty() ? "latest" : reference.tag;
}

RemoteManifest fetch_remote_manifest(const RegistriesConfig& config, const RegistryAccess& access,
                                     std::string_view name) {
  std::exception_ptr failure;
  for (const Reference& candidate : resolve_short_name(config, parse_remote_name(name))) {
    const Reference full = normalize(candidate);
    for (const PullSource& source : plan_pull(config, full)) {
      try {
        RemoteManifest remote{full, nullptr, {}};
        remote.registry = std::make_unique<Registry>(registry_options(access, source), source.reference.path);
        remote.manifest = remote.registry->get_manifest(wanted_manifest(source.reference));
        return remote;
      } catch (const Error&) {
        failure = std::current_exception();
      }
    }
  }
  std::rethrow_exception(failure);
}

FetchImage fetch_from_registries(const RegistriesConfig& config, const RegistryAccess& access) {
  return [&config, &access](const ListEntry& entry) {
    const auto remote = std::make_shared<RemoteManifest>(fetch_remote_manifest(config, access, entry.source));
    if (is_index_type(remote->manifest.media_type))
      throw Unsupported("it is a list itself: add its images with 'knarr manifest add --all'");
    const auto open_blob = [remote](const Descriptor& blob) -> ByteSource {
      return [remote, source = remote->registry->open_blob(blob.digest, blob.size)](
                 char* buffer, std::size_t room) { return source(buffer, room); };
    };
    return FetchedImage{remote->manifest.digest, remote->manifest.bytes, open_blob};
  };
}

std::vector<ListEntry> list_remote_images(RemoteManifest& remote, const Platform& wanted, bool all) {
  if (!is_index_type(remote.manifest.media_type)) {
    return {{describe_image(remote), {}, source_of(remote, remote.manifest.digest)}};
  }
  const Index index = parse_index(remote.manifest.bytes);
  std::vector<ListEntry> entries;
  if (!all) {
    const Descriptor& chosen = require_platform(index, complete_platform(wanted), render(remote.name));
    return {{chosen, {}, source_of(remote, chosen.digest)}};
  }
  for (const Descriptor& each : index.manifests)
    entries.push_back({each, {}, source_of(remote, each.digest)});
  return entries;
}

}  // namespace knarr::storage
