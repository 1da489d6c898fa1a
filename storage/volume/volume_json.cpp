// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/volume_json.h"

#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::uint64_t volume_version = 1;

}  // namespace

std::string render_volume(const Volume& volume) {
  return render_json({{"version", volume_version},
                      {"name", volume.name},
                      {"driver", volume.driver},
                      {"created", volume.created},
                      {"labels", volume.labels},
                      {"options", volume.options},
                      {"anonymous", volume.anonymous},
                      {"needs_copy_up", volume.needs_copy_up}});
}

Volume parse_volume(std::string_view json) {
  const Json document = parse_json(json, "volume record");
  const JsonReader reader(document, "volume record");
  reader.check_version(volume_version);
  Volume volume;
  volume.name = reader.get("name").as_string();
  volume.driver = reader.read_string("driver", "local");
  volume.created = reader.read_string("created");
  volume.labels = reader.read_string_map("labels");
  volume.options = reader.read_string_map("options");
  volume.anonymous = reader.read_bool("anonymous");
  volume.needs_copy_up = reader.read_bool("needs_copy_up");
  return volume;
}

}  // namespace knarr::storage
