// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/layer_meta_json.h"

#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::uint64_t layer_meta_version = 1;

}  // namespace

std::string render_layer_meta(const LayerMeta& meta) {
  return render_json({{"version", layer_meta_version},
                      {"diff_id", render(meta.diff_id)},
                      {"tar_bytes", meta.tar_bytes},
                      {"tree_bytes", meta.tree_bytes},
                      {"entries", meta.entries},
                      {"durable", meta.durable},
                      {"boot_id", meta.boot_id},
                      {"notices", meta.notices}});
}

LayerMeta parse_layer_meta(std::string_view json) {
  const Json document = parse_json(json, "layer record");
  const JsonReader reader(document, "layer record");
  reader.check_version(layer_meta_version);
  LayerMeta meta;
  const JsonReader diff_id = reader.get("diff_id");
  const std::optional<Digest> digest = parse_digest(diff_id.as_string());
  if (!digest) diff_id.fail("not a sha256 or sha512 digest");
  meta.diff_id = *digest;
  meta.tar_bytes = reader.read_unsigned("tar_bytes");
  meta.tree_bytes = reader.read_unsigned("tree_bytes");
  meta.entries = reader.read_unsigned("entries");
  meta.durable = reader.read_bool("durable");
  meta.boot_id = reader.read_string("boot_id");
  meta.notices = reader.read_strings("notices");
  return meta;
}

}  // namespace knarr::storage
