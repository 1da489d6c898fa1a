// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/shipped_blobs_json.h"

#include <array>

#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::uint64_t shipped_blobs_version = 1;

Compression read_compression(const JsonReader& text) {
  const std::string name = text.as_string();
  for (const Compression known :
       {Compression::none, Compression::gzip, Compression::zstd, Compression::bzip2, Compression::xz}) {
    if (name == compression_name(known)) return known;
  }
  text.fail("no compression");
}

}  // namespace

std::string render_shipped_blobs(const std::vector<ShippedBlob>& blobs) {
  Json json = Json::array();
  for (const ShippedBlob& blob : blobs) {
    json.push_back({{"digest", render(blob.digest)},
                    {"size", blob.size},
                    {"compression", compression_name(blob.compression)},
                    {"places", blob.places}});
  }
  return render_json({{"version", shipped_blobs_version}, {"blobs", std::move(json)}});
}

std::vector<ShippedBlob> parse_shipped_blobs(std::string_view json) {
  const Json document = parse_json(json, "record of shipped blobs");
  const JsonReader reader(document, "record of shipped blobs");
  reader.check_version(shipped_blobs_version);
  std::vector<ShippedBlob> blobs;
  for (const JsonReader& entry : reader.read_array("blobs")) {
    const std::optional<Digest> digest = parse_digest(entry.get("digest").as_string());
    if (!digest) entry.get("digest").fail("not a sha256 or sha512 digest");
    blobs.push_back({*digest, entry.read_unsigned("size"), read_compression(entry.get("compression")),
                     entry.read_strings("places")});
  }
  return blobs;
}

}  // namespace knarr::storage
