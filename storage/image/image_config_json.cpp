// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_config_json.h"

#include <algorithm>
#include <array>
#include <limits>

#include "rootless/sys/error.h"
#include "storage/image/descriptor_json.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::string_view oci_manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view oci_index_type = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view docker_manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view docker_list_type = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view docker_config_type = "application/vnd.docker.container.image.v1+json";

constexpr std::uint64_t image_record_version = 1;

// ---- descriptors ----

Digest read_digest(const JsonReader& text) {
  std::optional<Digest> digest = parse_digest(text.as_string());
  if (!digest) text.fail("not a sha256 or sha512 digest");
  return *std::move(digest);
}

std::vector<Digest> read_digests(const std::vector<JsonReader>& elements) {
  std::vector<Digest> digests;
  for (const JsonReader& element : elements) digests.push_back(read_digest(element));
  return digests;
}

std::uint64_t read_size(const JsonReader& size) {
  const std::uint64_t bytes = size.as_unsigned();
  // The specification has it an int64, and offsets into a blob are.
  if (bytes > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) size.fail("number out of range");
  return bytes;
}

Json platform_json(const Descriptor& descriptor) {
  Json json = {{"architecture", descriptor.architecture}, {"os", descriptor.os}};
  if (!descriptor.variant.empty()) json["variant"] = descriptor.variant;
  if (!descriptor.os_version.empty()) json["os.version"] = descriptor.os_version;
  if (!descriptor.os_features.empty()) json["os.features"] = descriptor.os_features;
  if (!descriptor.features.empty()) json["features"] = descriptor.features;
  return json;
}

// One digest must not mean two things: a document that can be read both as manifest and as index is neither
// (the image-spec's advisory of 2021). Keys count even when their value is null.
void refuse_ambiguous(const JsonReader& document) {
  if (!document.value().is_object()) return;
  const auto holds = [&](const char* key) { return document.value().contains(key); };
  if (holds("manifests") && (holds("layers") || holds("config") || holds("fsLayers"))) {
    document.fail("it is both a manifest and an index");
  }
  if (holds("fsLayers") && (holds("layers") || holds("config"))) {
    document.fail("it is a manifest of two schemas at once");
  }
}

void check_schema_version(const JsonReader& document) {
  const std::uint64_t version = document.get("schemaVersion").as_unsigned();
  if (version == 1) document.fail("schema version 1 is no longer supported: push the image anew");
  if (version != 2) document.get("schemaVersion").fail("expected 2");
}

// The media type inside the document, when it has one, must be one of the `allowed` two.
std::string read_media_type(const JsonReader& document, std::array<std::string_view, 2> allowed) {
  const auto type = document.find("mediaType");
  if (!type) return {};
  std::string text = type->as_string();
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    type->fail(concat("expected ", allowed[0], ", found ", text));
  }
  return text;
}

// ---- the config ----

// Older builders wrote "80" where "80/tcp" is meant.
std::vector<std::string> read_ports(const JsonReader& config) {
  std::vector<std::string> ports = config.read_keys("ExposedPorts");
  for (std::string& port : ports) {
    if (port.find('/') == std::string::npos) port += "/tcp";
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

std::optional<HealthCheck> read_health_check(const JsonReader& config) {
  const auto reader = config.find("Healthcheck");
  if (!reader) return std::nullopt;
  HealthCheck check;
  check.test = reader->read_strings("Test");
  check.interval = reader->read_int("Interval");
  check.timeout = reader->read_int("Timeout");
  check.start_period = reader->read_int("StartPeriod");
  const std::int64_t retries = reader->read_int("Retries");
  if (retries < 0 || retries > std::numeric_limits<int>::max()) {
    reader->get("Retries").fail("number out of range");
  }
  check.retries = static_cast<int>(retries);
  return check;
}

ImageConfig read_config(const JsonReader& reader) {
  ImageConfig config;
  config.env = reader.read_strings("Env");
  config.entrypoint = reader.read_strings("Entrypoint");
  config.cmd = reader.read_strings("Cmd");
  config.user = reader.read_string("User");
  config.working_dir = reader.read_string("WorkingDir");
  config.stop_signal = reader.read_string("StopSignal");
  config.volumes = reader.read_keys("Volumes");
  config.exposed_ports = read_ports(reader);
  config.labels = reader.read_string_map("Labels");
  config.health_check = read_health_check(reader);
  config.on_build = reader.read_strings("OnBuild");
  return config;
}

std::vector<ImageHistory> read_history(const JsonReader& image) {
  std::vector<ImageHistory> history;
  for (const JsonReader& entry : image.read_array("history")) {
    history.push_back({.created = entry.read_string("created"),
                       .created_by = entry.read_string("created_by"),
                       .author = entry.read_string("author"),
                       .comment = entry.read_string("comment"),
                       .empty_layer = entry.read_bool("empty_layer")});
  }
  return history;
}

// What a config and a record have in common.
void read_common(const JsonReader& reader, Image& image) {
  image.created = reader.read_string("created");
  image.author = reader.read_string("author");
  image.architecture = reader.read_string("architecture");
  image.os = reader.read_string("os");
  image.variant = reader.read_string("variant");
  image.comment = reader.read_string("comment");
  if (const auto config = reader.find("config")) image.config = read_config(*config);
  image.history = read_history(reader);
}

void set_if(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}

void set_if(Json& json, const char* key, const std::vector<std::string>& values) {
  if (!values.empty()) json[key] = values;
}

Json key_set(const std::vector<std::string>& keys) {
  Json set = Json::object();
  for (const std::string& key : keys) set[key] = Json::object();
  return set;
}

Json health_check_json(const HealthCheck& check) {
  Json json = Json::object();
  set_if(json, "Test", check.test);
  if (check.interval != 0) json["Interval"] = check.interval;
  if (check.timeout != 0) json["Timeout"] = check.timeout;
  if (check.start_period != 0) json["StartPeriod"] = check.start_period;
  if (check.retries != 0) json["Retries"] = check.retries;
  return json;
}

Json config_json(const ImageConfig& config) {
  Json json = Json::object();
  set_if(json, "Env", config.env);
  set_if(json, "Entrypoint", config.entrypoint);
  set_if(json, "Cmd", config.cmd);
  set_if(json, "User", config.user);
  set_if(json, "WorkingDir", config.working_dir);
  set_if(json, "StopSignal", config.stop_signal);
  if (!config.volumes.empty()) json["Volumes"] = key_set(config.volumes);
  if (!config.exposed_ports.empty()) json["ExposedPorts"] = key_set(config.exposed_ports);
  if (!config.labels.empty()) json["Labels"] = config.labels;
  if (config.health_check) json["Healthcheck"] = health_check_json(*config.health_check);
  set_if(json, "OnBuild", config.on_build);
  return json;
}

Json history_json(const std::vector<ImageHistory>& history) {
  Json json = Json::array();
  for (const ImageHistory& entry : history) {
    Json one = Json::object();
    set_if(one, "created", entry.created);
    set_if(one, "created_by", entry.created_by);
    set_if(one, "author", entry.author);
    set_if(one, "comment", entry.comment);
    if (entry.empty_layer) one["empty_layer"] = true;
    json.push_back(std::move(one));
  }
  return json;
}

Json common_json(const Image& image) {
  Json json = {{"architecture", image.architecture}, {"os", image.os}, {"config", config_json(image.config)}};
  set_if(json, "created", image.created);
  set_if(json, "author", image.author);
  set_if(json, "variant", image.variant);
  set_if(json, "comment", image.comment);
  if (!image.history.empty()) json["history"] = history_json(image.history);
  return json;
}

Json digests_json(const std::vector<Digest>& digests) {
  Json json = Json::array();
  for (const Digest& digest : digests) json.push_back(render(digest));
  return json;
}

}  // namespace

Descriptor read_descriptor(const JsonReader& reader) {
  Descriptor descriptor;
  descriptor.media_type = reader.read_string("mediaType");
  descriptor.digest = read_digest(reader.get("digest"));
  descriptor.size = read_size(reader.get("size"));
  descriptor.annotations = reader.read_string_map("annotations");
  descriptor.urls = reader.read_strings("urls");
  descriptor.artifact_type = reader.read_string("artifactType");
  if (const auto platform = reader.find("platform")) {
    descriptor.architecture = platform->read_string("architecture");
    descriptor.os = platform->read_string("os");
    descriptor.variant = platform->read_string("variant");
    descriptor.os_version = platform->read_string("os.version");
    descriptor.os_features = platform->read_strings("os.features");
    descriptor.features = platform->read_strings("features");
  }
  return descriptor;
}

Json render_descriptor(const Descriptor& descriptor) {
  Json json = {
      {"mediaType", descriptor.media_type}, {"digest", render(descriptor.digest)}, {"size", descriptor.size}};
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (!descriptor.urls.empty()) json["urls"] = descriptor.urls;
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  if (!descriptor.architecture.empty() || !descriptor.os.empty()) {
    json["platform"] = platform_json(descriptor);
  }
  return json;
}

Manifest parse_manifest(std::string_view json) {
  const Json document = parse_json(json, "manifest", max_manifest_bytes);
  const JsonReader reader(document, "manifest");
  refuse_ambiguous(reader);
  Manifest manifest;
  manifest.media_type = read_media_type(reader, {oci_manifest_type, docker_manifest_type});
  check_schema_version(reader);
  manifest.config = read_descriptor(reader.get("config"));
  for (const JsonReader& layer : reader.get("layers").as_array()) {
    manifest.layers.push_back(read_descriptor(layer));
  }
  manifest.annotations = reader.read_string_map("annotations");
  if (manifest.media_type.empty()) {
    manifest.media_type =
        manifest.config.media_type == docker_config_type ? docker_manifest_type : oci_manifest_type;
  }
  return manifest;
}

Index parse_index(std::string_view json) {
  const Json document = parse_json(json, "index", max_manifest_bytes);
  const JsonReader reader(document, "index");
  refuse_ambiguous(reader);
  Index index;
  index.media_type = read_media_type(reader, {oci_index_type, docker_list_type});
  if (index.media_type.empty()) index.media_type = oci_index_type;
  check_schema_version(reader);
  for (const JsonReader& manifest : reader.get("manifests").as_array()) {
    index.manifests.push_back(read_descriptor(manifest));
  }
  index.annotations = reader.read_string_map("annotations");
  return index;
}

bool is_index_document(std::string_view json) {
  const Json document = parse_json(json, "manifest", max_manifest_bytes);
  return JsonReader(document, "manifest").has("manifests");
}

std::vector<ArchiveEntry> parse_archive_manifest(std::string_view json) {
  const Json document = parse_json(json, "manifest.json", max_manifest_bytes);
  std::vector<ArchiveEntry> entries;
  for (const JsonReader& entry : JsonReader(document, "manifest.json").as_array()) {
    entries.push_back({.config = entry.get("Config").as_string(),
                       .repo_tags = entry.read_strings("RepoTags"),
                       .layers = entry.read_strings("Layers")});
  }
  return entries;
}

Image parse_image_config(std::string_view json, const Digest& config_digest) {
  const Json document = parse_json(json, "config", max_config_bytes);
  const JsonReader reader(document, "config");
  Image image;
  image.id = config_digest.hex;
  read_common(reader, image);
  const JsonReader rootfs = reader.get("rootfs");
  if (const std::string type = rootfs.read_string("type", "layers"); type != "layers") {
    rootfs.get("type").fail(concat("expected \"layers\", found \"", type, '"'));
  }
  image.layers = read_digests(rootfs.read_array("diff_ids"));
  return image;
}

ImageConfig parse_config_member(std::string_view json) {
  return read_config(JsonReader(parse_json(json, "config", max_config_bytes), "config"));
}

std::string render_image_config(const Image& image) {
  Json json = common_json(image);
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", digests_json(image.layers)}};
  return render_json(json);
}

std::string render_manifest(const Manifest& manifest) {
  Json json = {
      {"schemaVersion", 2},
      {"mediaType", manifest.media_type.empty() ? std::string(oci_manifest_type) : manifest.media_type},
      {"config", render_descriptor(manifest.config)},
      {"layers", Json::array()}};
  for (const Descriptor& layer : manifest.layers) json["layers"].push_back(render_descriptor(layer));
  if (!manifest.annotations.empty()) json["annotations"] = manifest.annotations;
  return render_json(json);
}

std::string render_index(const Index& index) {
  Json json = {{"schemaVersion", 2}, {"mediaType", index.media_type}, {"manifests", Json::array()}};
  for (const Descriptor& manifest : index.manifests) json["manifests"].push_back(render_descriptor(manifest));
  if (!index.annotations.empty()) json["annotations"] = index.annotations;
  return render_json(json);
}

std::string render_archive_manifest(const std::vector<ArchiveEntry>& entries) {
  Json json = Json::array();
  for (const ArchiveEntry& entry : entries) {
    Json one = {{"Config", entry.config}, {"Layers", entry.layers}};
    one["RepoTags"] = entry.repo_tags.empty() ? Json() : Json(entry.repo_tags);
    json.push_back(std::move(one));
  }
  return render_json(json);
}

std::string render_image_record(const Image& image) {
  Json json = common_json(image);
  json["version"] = image_record_version;
  json["id"] = image.id;
  json["manifest"] = render(image.manifest);
  json["manifest_type"] = image.manifest_type;
  if (!image.indexes.empty()) json["indexes"] = digests_json(image.indexes);
  json["layers"] = digests_json(image.layers);
  json["layer_sizes"] = image.layer_sizes;
  json["size"] = image.size;
  return render_json(json);
}

Image parse_image_record(std::string_view json) {
  const Json document = parse_json(json, "image record", max_config_bytes);
  const JsonReader reader(document, "image record");
  reader.check_version(image_record_version);
  Image image;
  read_common(reader, image);
  image.id = reader.get("id").as_string();
  image.manifest = read_digest(reader.get("manifest"));
  image.manifest_type = reader.read_string("manifest_type");
  image.indexes = read_digests(reader.read_array("indexes"));
  image.layers = read_digests(reader.get("layers").as_array());
  for (const JsonReader& size : reader.get("layer_sizes").as_array()) {
    image.layer_sizes.push_back(size.as_unsigned());
  }
  if (image.layer_sizes.size() != image.layers.size()) {
    reader.get("layer_sizes").fail(concat("expected ", image.layers.size(), " sizes"));
  }
  image.size = reader.read_unsigned("size");
  return image;
}

}  // namespace knarr::storage
