// SPDX-License-Identifier: Apache-2.0
// images.json and layers.json of containers/storage (images.go, layers.go there).
#include <iterator>

#include "rootless/sys/error.h"
#include "storage/foreign/containers_storage.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

// Every id becomes part of a path.
std::string read_id(const JsonReader& reader) {
  std::string id = reader.as_string();
  if (!parse_digest("sha256:" + id)) reader.fail("not an id of 64 hexadecimal digits");
  return id;
}

std::string read_id_if_given(const JsonReader& entry, const char* key) {
  const auto member = entry.find(key);
  if (!member || member->as_string().empty()) return {};
  return read_id(*member);
}

std::string why_unusable(const JsonReader& entry) {
  const auto flags = entry.find("flags");
  // A flag that is set at all: whoever wrote the layer did not get to its end.
  if (flags && flags->has("incomplete")) return "it was never completed";
  if (!entry.read_array("uidmap").empty() || !entry.read_array("gidmap").empty()) {
    return "its owners are those of another id map";
  }
  if (!entry.has("diff-digest")) return "its digest is not known";
  return {};
}

// Numbers of containers/storage (pkg/archive).
std::optional<Compression> read_compression(const JsonReader& entry) {
  constexpr Compression known[] = {Compression::none, Compression::bzip2, Compression::gzip, Compression::xz,
                                   Compression::zstd};
  const std::uint64_t number = entry.read_unsigned("compression");
  if (number >= std::size(known)) return std::nullopt;
  return known[number];
}

std::optional<ShippedBlob> read_shipped(const JsonReader& entry) {
  const auto digest = parse_digest(entry.read_string("compressed-diff-digest"));
  const auto compression = read_compression(entry);
  const std::uint64_t size = entry.read_unsigned("compressed-size");
  if (!digest || !compression || size == 0) return std::nullopt;
  return ShippedBlob{*digest, size, *compression, {}};
}

ForeignLayer parse_layer(const JsonReader& entry) {
  ForeignLayer layer;
  layer.id = read_id(entry.get("id"));
  layer.parent = read_id_if_given(entry, "parent");
  layer.refusal = why_unusable(entry);
  layer.tar_bytes = entry.read_unsigned("diff-size");
  if (const auto member = entry.find("diff-digest")) {
    const auto digest = parse_digest(member->as_string());
    if (!digest) member->fail("not a sha256 or sha512 digest");
    layer.diff_id = *digest;
  }
  layer.shipped = read_shipped(entry);
  return layer;
}

ForeignImage parse_image(const JsonReader& entry) {
  ForeignImage image;
  image.id = read_id(entry.get("id"));
  image.top_layer = read_id_if_given(entry, "layer");
  image.names = entry.read_strings("names");
  return image;
}

// One bad entry does not hide the others.
template <typename Take>
void for_each_entry(std::string_view json, const char* name, std::vector<std::string>& damage, Take&& take) {
  const Json document = parse_json(json, name);
  if (document.is_null()) return;  // Go's empty list
  for (const JsonReader& entry : JsonReader(document, name).as_array()) {
    try {
      take(entry);
    } catch (const InvalidArgument& error) {
      damage.push_back(error.message());
    }
  }
}

}  // namespace

std::map<std::string, ForeignLayer> parse_foreign_layers(std::string_view json,
                                                         std::vector<std::string>& damage) {
  std::map<std::string, ForeignLayer> layers;
  for_each_entry(json, "layers.json", damage, [&](const JsonReader& entry) {
    ForeignLayer layer = parse_layer(entry);
    std::string id = layer.id;
    layers.insert_or_assign(std::move(id), std::move(layer));
  });
  return layers;
}

std::vector<ForeignImage> parse_foreign_images(std::string_view json, std::vector<std::string>& damage) {
  std::vector<ForeignImage> images;
  for_each_entry(json, "images.json", damage,
                 [&](const JsonReader& entry) { images.push_back(parse_image(entry)); });
  return images;
}

}  // namespace knarr::storage
