// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/push_session.h"

#include <unistd.h>

#include "cli/commands/registry_access.h"
#include "cli/quote.h"
#include "rootless/sys/file.h"
#include "storage/content/compress.h"
#include "storage/registry/list_push.h"

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

void PushSession::push(const storage::Image& image) {
  const storage::Reference place = destination(engine_.images().resolve_name(arguments_.at(0)).value_or(""));
  engine_.enter_r();
  finish(with_context(concat("pushing ", render(place)), [&] {
    return push_to_registry(engine_.store(), config_, access_, image, place, options_);
  }));
}

void PushSession::push(const storage::ManifestList& list, bool with_images) {
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
