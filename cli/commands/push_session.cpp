// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/push_session.h"

#include <unistd.h>

#include "cli/commands/registry_access.h"
#include "cli/commands/source_date.h"
#include "cli/quote.h"
#include "rootless/sys/file.h"
#include "storage/archive_writer.h"
#include "storage/content/compress.h"
#include "storage/registry/list_push.h"
#include "storage/registry/remote_manifest.h"

namespace knarr::cli {

namespace {

using storage::Compression;
using storage::ManifestKind;

Compression read_compression(const std::string& text) {
  if (text == "gzip") return Compression::gzip;
  if (text == "zstd") return Compression::zstd;
  if (text == "zstd:chunked") throw Unsupported("--compression-format=zstd:chunked is not supported yet");
  throw UsageError(
      concat("invalid value ", quote_go(text), " for --compression-format: expected gzip or zstd"));
}

ManifestKind read_kind(const std::string& text) {
  if (text == "oci") return ManifestKind::oci;
  if (text == "v2s2" || text == "docker") return ManifestKind::docker;
  if (text == "v2s1")
    throw Unsupported("--format=v2s1: manifests of schema version 1 are no longer supported");
  throw UsageError(concat("invalid value ", quote_go(text), " for --format: expected oci or v2s2"));
}

storage::ArchiveFormat archive_format(storage::Transport transport) {
  switch (transport) {
    case storage::Transport::oci_archive:
      return storage::ArchiveFormat::oci_archive;
    case storage::Transport::docker_archive:
      return storage::ArchiveFormat::docker_archive;
    case storage::Transport::dir:
      return storage::ArchiveFormat::docker_dir;
    default:
      return storage::ArchiveFormat::oci_dir;
  }
}

// Layers of OCI's forms are compressed, those of a directory only where it is asked for.
storage::SaveOptions save_options(const Arguments& arguments, const storage::PushOptions& push,
                                  ManifestKind kind, storage::Transport transport) {
  const bool compress = arguments.knows("compress") && arguments.boolean("compress");
  const bool is_directory = transport == storage::Transport::dir;
  if (compress && !is_directory) throw UsageError("--compress is for destinations of the transport dir only");
  if (transport == storage::Transport::docker_archive && arguments.given("digestfile"))
    throw UsageError("--digestfile: a docker-archive has no manifest that could have a digest");
  if (!is_directory && push.kind == ManifestKind::docker && transport != storage::Transport::docker_archive)
    throw UsageError("--format=v2s2: an OCI layout has manifests of the format oci");
  storage::SaveOptions options = {
      .format = archive_format(transport), .mtime = source_date().value_or(0), .extend = true};
  const Compression usual = is_directory && !compress ? Compression::none : Compression::gzip;
  options.compression = push.compression.format.value_or(usual);
  options.level = push.compression.level;
  options.kind = kind;
  return options;
}

storage::PushOptions read_options(const Arguments& arguments) {
  storage::PushOptions options;
  if (const auto text = arguments.find_text("format")) options.kind = read_kind(*text);
  storage::LayerCompression& compression = options.compression;
  if (const auto text = arguments.find_text("compression-format"))
    compression.format = read_compression(*text);
  compression.is_forced = arguments.given("force-compression") ? arguments.boolean("force-compression")
                                                               : compression.format.has_value();
  if (const auto level = arguments.find_integer("compression-level")) {
    compression.level = static_cast<int>(std::min<std::int64_t>(*level, 1000));
    storage::check_compression_level(compression.format.value_or(Compression::gzip), *compression.level);
  }
  return options;
}

}  // namespace

PushSession::PushSession(const engine::Engine& engine, const Arguments& arguments)
    : engine_(engine),
      arguments_(arguments),
      access_(read_registry_access(arguments)),
      config_(storage::load_registries_config(access_.places)),
      options_(read_options(arguments)),
      messages_(STDERR_FILENO),
      progress_(messages_) {
  access_.auth.helpers = config_.credential_helpers;
  options_.retry = access_.retry;
  if (arguments.knows("compress") && arguments.boolean("compress") && !named_transport())
    throw UsageError("--compress is for destinations of the transport dir only");
  if (!arguments.boolean("quiet"))
    options_.progress = [this](const storage::LayerProgress& layer) { progress_.update(layer); };
}

// The one given, else the name of what is pushed.
storage::Reference PushSession::destination(const std::string& own_name) const {
  constexpr std::string_view docker_transport = "docker://";
  std::string name = arguments_.positional().size() > 1 ? arguments_.at(1) : own_name;
  if (name.empty()) throw UsageError(concat(arguments_.at(0), " is no name: say where to push it"));
  if (name.starts_with(docker_transport)) name.erase(0, docker_transport.size());
  return storage::parse_destination(name);
}

std::optional<storage::TransportName> PushSession::named_transport() const {
  const std::string& name = arguments_.positional().back();
  auto place = storage::parse_transport_name(name);
  if (place && place->transport == storage::Transport::docker) place.reset();
  if (place && place->transport == storage::Transport::containers_storage)
    throw Unsupported(
        concat("pushing to ", name, " is not supported: 'knarr save' makes an archive podman loads"));
  return place;
}

void PushSession::write_files(const storage::Image& image, const storage::TransportName& place) {
  const storage::SaveOptions options = save_options(
      arguments_, options_, choose_manifest_kind(options_, image.manifest_type), place.transport);
  std::vector<std::string> names;
  if (!place.reference.empty()) {
    names = {place.transport == storage::Transport::docker_archive
                 ? render(storage::parse_docker_name(place.reference))
                 : place.reference};
  }
  engine_.enter_r();
  const std::vector<storage::Digest> manifests =
      with_context(concat("pushing to ", transport_name(place.transport), ':', place.path), [&] {
        return storage::save_archive(engine_.store(), {{image, names}}, options, place.path);
      });
  if (!manifests.empty()) finish(manifests.front());
}

void PushSession::write_files(const storage::ManifestList& list, const storage::TransportName& place) {
  const storage::SaveOptions options =
      save_options(arguments_, options_, options_.kind.value_or(ManifestKind::oci), place.transport);
  engine_.enter_r();
  finish(with_context(concat("pushing to ", transport_name(place.transport), ':', place.path), [&] {
    return storage::save_list(engine_.store(), list, place.reference, options, place.path,
                              storage::fetch_from_registries(config_, access_));
  }));
}

void PushSession::push(const storage::Image& image) {
  if (const auto place = named_transport()) return write_files(image, *place);
  const storage::Reference place = destination(engine_.images().resolve_name(arguments_.at(0)).value_or(""));
  engine_.enter_r();
  finish(with_context(concat("pushing ", render(place)), [&] {
    return push_to_registry(engine_.store(), config_, access_, image, place, options_);
  }));
}

void PushSession::push(const storage::ManifestList& list, bool with_images) {
  if (const auto place = named_transport()) {
    if (!with_images) throw UsageError("--all=false is for registries: files hold a list with its images");
    return write_files(list, *place);
  }
  const storage::Reference place = destination(list.names.empty() ? "" : list.names.front());
  const storage::ListPushOptions options = {.images = options_,
                                            .with_images = with_images,
                                            .kind = options_.kind.value_or(storage::ManifestKind::oci)};
  engine_.enter_r();
  finish(with_context(concat("pushing ", render(place)),
                      [&] { return push_list(engine_.store(), config_, access_, list, place, options); }));
}

void PushSession::finish(const storage::Digest& digest) {
  progress_.finish();
  const std::string path = arguments_.text("digestfile");
  if (!path.empty()) sys::replace_file(AT_FDCWD, path, render(digest), 0644, sys::Durability::none);
}

}  // namespace knarr::cli
