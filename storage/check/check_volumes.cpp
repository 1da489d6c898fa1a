// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"
#include "storage/check/check.h"
#include "storage/meta/object_name.h"
#include "storage/volume/volume_json.h"
#include "storage/volume/volume_store.h"

namespace knarr::storage {
namespace {

void check_record(const Store& store, const std::string& name, std::vector<Finding>& findings) {
  std::string problem;
  try {
    const Volume volume = parse_volume(sys::read_file(store.fd(), concat("volumes/", name, "/meta.json")));
    if (volume.name != name) problem = concat("its record is that of volume ", volume.name);
  } catch (const Error& error) {
    problem = concat("its record cannot be read: ", error.message());
  }
  if (problem.empty()) return;
  findings.push_back({.object = concat("volume ", name),
                      .problem = problem,
                      .repair = [&store, name] { VolumeStore(store).restore_record(name); },
                      .repaired = "it has a new record without labels; its data is untouched"});
}

void check_data(const Store& store, const std::string& name, std::vector<Finding>& findings) {
  const std::string path = concat("volumes/", name, "/_data");
  const auto data = sys::stat_at(store.fd(), path, AT_SYMLINK_NOFOLLOW);
  if (data && S_ISDIR(data->st_mode)) return;
  findings.push_back({.object = concat("volume ", name),
                      .problem = data ? "its data is no directory" : "its data is gone",
                      .repair =
                          [&store, path] {
                            store.move_to_trash(path);
                            sys::make_directories(store.fd(), path, 0755);
                          },
                      .repaired = "it is empty now"});
}

}  // namespace

std::vector<Finding> check_volumes(const Store& store) {
  std::vector<Finding> findings;
  for (const std::string& name : sys::list_directory(store.fd(), "volumes")) {
    const auto info = sys::stat_at(store.fd(), "volumes/" + name, AT_SYMLINK_NOFOLLOW);
    if (!info) continue;
    if (!is_object_name(name) || !S_ISDIR(info->st_mode)) {
      findings.push_back({.object = concat("volume ", name),
                          .problem = "it is no volume",
                          .repair = [&store, name] { store.move_to_trash("volumes/" + name); },
                          .repaired = "moved to trash/"});
      continue;
    }
    std::vector<Finding> found;
    check_record(store, name, found);
    check_data(store, name, found);
    // Its removal, which is one step, may have come in between.
    if (!sys::stat_at(store.fd(), "volumes/" + name, AT_SYMLINK_NOFOLLOW)) continue;
    for (Finding& finding : found) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace knarr::storage
