// SPDX-License-Identifier: Apache-2.0
#include <ctime>

#include "rootless/sys/error.h"
#include "storage/check/check.h"
#include "storage/check/records.h"
#include "storage/image/image_store.h"
#include "storage/layer/layer.h"
#include "storage/layer/layer_meta_json.h"
#include "storage/layer/shipped_blobs_json.h"

namespace knarr::storage {
namespace {

using Users = std::map<Digest, Needers>;

Users layer_users(const Store& store) {
  Users users;
  for (const CheckedRecord& record : read_records(store)) {
    if (!record.image) continue;
    for (const Digest& layer : record.image->layers) users[layer].add(record);
  }
  return users;
}

std::string layer_path(const Digest& layer) {
  return "layers/" + layer.hex;
}

std::string find_tree_problem(const Store& store, const Digest& layer) {
  const auto tree = sys::stat_at(store.fd(), layer_path(layer) + "/diff", AT_SYMLINK_NOFOLLOW);
  if (!tree) return "its tree is missing";
  return S_ISDIR(tree->st_mode) ? "" : "its tree is no directory";
}

std::string find_problem(const Store& store, const Digest& layer) {
  if (!sys::stat_at(store.fd(), layer_path(layer), AT_SYMLINK_NOFOLLOW)) return "it is missing";
  try {
    const LayerMeta meta = parse_layer_meta(sys::read_file(store.fd(), layer_path(layer) + "/meta.json"));
    if (meta.diff_id != layer) return concat("its record is that of layer ", render(meta.diff_id));
  } catch (const Error& error) {
    return concat("its record cannot be read: ", error.message());
  }
  return find_tree_problem(store, layer);
}

Finding damaged_layer(const Store& store, const Digest& layer, const std::string& problem,
                      const Needers& users) {
  Finding finding{.object = concat("layer ", render(layer)),
                  .problem = problem,
                  .cure = fetch_again(users.labels),
                  .path = layer_path(layer),
                  .image_ids = users.ids};
  if (sys::stat_at(store.fd(), layer_path(layer), AT_SYMLINK_NOFOLLOW)) {
    finding.repair = [&store, layer] { store.move_to_trash(layer_path(layer)); };
    finding.repaired = "moved to trash/";
  }
  return finding;
}

// Without these hints a push may have to compress and send the layer once more.
std::optional<Finding> check_shipped_blobs(const Store& store, const Digest& layer) {
  const std::string path = concat(layer_path(layer), '/', shipped_blobs_file);
  std::string why;
  try {
    const auto json = sys::read_file_if_exists(store.fd(), path);
    if (json) parse_shipped_blobs(*json);
    return std::nullopt;
  } catch (const Unsupported&) {
    return std::nullopt;  // of a later version
  } catch (const Error& error) {
    why = error.message();
  }
  return Finding{.object = concat("layer ", render(layer)),
                 .problem = concat("its record of where it was shipped cannot be read: ", why),
                 .repair = [&store, path] { store.move_to_trash(path); },
                 .repaired = "forgotten"};
}

bool is_younger(const Store& store, const std::string& path, std::int64_t seconds) {
  const auto info = sys::stat_at(store.fd(), path, AT_SYMLINK_NOFOLLOW);
  return info && info->st_mtime > ::time(nullptr) - seconds;
}

Finding unneeded(const Store& store, const std::string& path, std::int64_t min_age_seconds) {
  Finding finding{.kind = Finding::Kind::garbage,
                  .object = path,
                  .problem = "no image needs it",
                  .cure = "knarr system prune"};
  if (is_younger(store, path, min_age_seconds)) return finding;
  finding.repair = [&store, path] { store.move_to_trash(path); };
  finding.repaired = "moved to trash/";
  return finding;
}

}  // namespace

std::vector<Finding> check_layers(const Store& store, std::int64_t min_age_seconds) {
  std::vector<Finding> findings;
  for (const auto& [layer, users] : layer_users(store)) {
    const std::string problem = find_problem(store, layer);
    if (!problem.empty()) {
      findings.push_back(damaged_layer(store, layer, problem, users));
    } else if (auto finding = check_shipped_blobs(store, layer)) {
      findings.push_back(*std::move(finding));
    }
  }
  for (const std::string& path : ImageStore(store).find_unreferenced()) {
    if (!path.starts_with("blobs/")) findings.push_back(unneeded(store, path, min_age_seconds));
  }
  return findings;
}

LayerVerdicts verify_layers(const Store& store, const LayerVerifier& verify) {
  LayerVerdicts verdicts;
  for (const std::string& hex : sys::list_directory(store.fd(), "layers")) {
    const auto layer = parse_digest(concat(hex.size() == 128 ? "sha512:" : "sha256:", hex));
    if (!layer || !find_problem(store, *layer).empty()) continue;
    try {
      LayerVerdict verdict = verify(*layer);
      if (!verdict.damage.empty() || !verdict.is_exact) verdicts[*layer] = std::move(verdict);
    } catch (const NotFound&) {
      // Removed meanwhile.
    } catch (const Error& error) {
      verdicts[*layer] = {concat("it cannot be read: ", error.message()), true};
    }
  }
  return verdicts;
}

std::vector<Finding> report_verdicts(const Store& store, const LayerVerdicts& verdicts) {
  Users users = layer_users(store);
  std::vector<Finding> findings;
  std::size_t unproven = 0;
  for (const auto& [layer, verdict] : verdicts) {
    if (verdict.damage.empty()) {
      ++unproven;
    } else {
      findings.push_back(damaged_layer(store, layer, verdict.damage, users[layer]));
    }
  }
  if (unproven > 0) {
    findings.push_back({.kind = Finding::Kind::unproven,
                        .object = concat(unproven, unproven == 1 ? " layer" : " layers"),
                        .problem = "adopted or of an older version, so without a record of the tar: only the "
                                   "sizes of the files were compared"});
  }
  return findings;
}

}  // namespace knarr::storage
