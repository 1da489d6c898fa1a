// SPDX-License-Identifier: Apache-2.0
#include "storage/image/manifest_list_json.h"

#include "storage/image/descriptor_json.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::uint64_t manifest_list_version = 1;

}  // namespace

std::string render_manifest_list(const ManifestList& list) {
  Json entries = Json::array();
  for (const ListEntry& entry : list.entries) {
    entries.push_back({{"descriptor", render_descriptor(entry.descriptor)},
                       {"image", entry.image},
                       {"source", entry.source}});
  }
  return render_json({{"version", manifest_list_version},
                      {"created", list.created},
                      {"digest", list.digest.hex.empty() ? "" : render(list.digest)},
                      {"size", list.size},
                      {"annotations", list.annotations},
                      {"entries", std::move(entries)}});
}

ManifestList parse_manifest_list(std::string_view json) {
  const Json document = parse_json(json, "manifest list");
  const JsonReader reader(document, "manifest list");
  reader.check_version(manifest_list_version);
  ManifestList list;
  list.created = reader.read_int("created");
  if (const auto digest = parse_digest(reader.read_string("digest"))) list.digest = *digest;
  list.size = reader.read_unsigned("size");
  list.annotations = reader.read_string_map("annotations");
  for (const JsonReader& entry : reader.read_array("entries")) {
    list.entries.push_back(
        {read_descriptor(entry.get("descriptor")), entry.read_string("image"), entry.read_string("source")});
  }
  return list;
}

std::string indent_json(std::string_view json) {
  static_cast<void>(parse_json(json, "document"));  // its bounds
  constexpr int spaces = 4;
  return nlohmann::ordered_json::parse(json).dump(spaces, ' ', false,
                                                  nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace knarr::storage
