// SPDX-License-Identifier: Apache-2.0
// Reading foreign image documents (image-spec manifest.md, image-index.md, config.md; docker v2 schema 2) and
// our own image records. Errors carry the path: "manifest.layers[1].digest: expected a string, found number".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image.h"

namespace knarr::storage {

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::map<std::string, std::string> annotations;
  std::string architecture, os, variant;  // of `platform`, in an index
  std::string os_version;
  std::vector<std::string> os_features, features;
  std::vector<std::string> urls;  // other places to fetch it from
  std::string artifact_type;      // what it is where it is no image
};
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;
};
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;
};
// docker-archive's manifest.json.
struct ArchiveEntry {
  std::string config;
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;
};

constexpr std::size_t max_manifest_bytes = 4u << 20;
constexpr std::size_t max_config_bytes = 8u << 20;

// All throw InvalidArgument. A document with both `manifests` and `layers`/`config` is refused.
Manifest parse_manifest(std::string_view json);
Index parse_index(std::string_view json);
bool is_index_document(std::string_view json);  // what has `manifests`
std::vector<ArchiveEntry> parse_archive_manifest(std::string_view json);
// Fills everything of Image but manifest, sizes and names.
Image parse_image_config(std::string_view json, const Digest& config_digest);
// Only what stands in a config's member `config`: Env, Cmd, ...
ImageConfig parse_config_member(std::string_view json);
// A config for a file system tree without one (import): one layer, this platform.
std::string render_image_config(const Image& image);
std::string render_manifest(const Manifest& manifest);
std::string render_index(const Index& index);
std::string render_archive_manifest(const std::vector<ArchiveEntry>& entries);

std::string render_image_record(const Image& image);
Image parse_image_record(std::string_view json);

}  // namespace knarr::storage
