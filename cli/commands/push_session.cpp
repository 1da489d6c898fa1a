// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/push_options.h"

#include "cli/quote.h"
#include "rootless/sys/file.h"
#include "storage/content/compress.h"

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

}  // namespace

storage::PushOptions read_push_options(const Arguments& arguments) {
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

void write_digest_file(const Arguments& arguments, const storage::Digest& digest) {
  const std::string path = arguments.text("digestfile");
  if (!path.empty()) sys::replace_file(AT_FDCWD, path, render(digest), 0644, sys::Durability::none);
}

}  // namespace knarr::cli
