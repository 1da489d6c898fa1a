// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/fetch_lost.h"

#include <algorithm>
#include <set>

#include "engine/helpers.h"
#include "storage/reference.h"

namespace knarr::cli {

namespace {

bool is_lost(const engine::Engine& engine, const storage::Finding& finding) {
  return !finding.path.empty() && !sys::stat_at(engine.store().fd(), finding.path, AT_SYMLINK_NOFOLLOW);
}

// By its digest: the tag may mean another image by now.
std::optional<storage::Reference> find_source(const storage::Image& image) {
  for (const std::string& name : image.names) {
    storage::Reference reference = storage::parse_reference(name);
    if (reference.domain == "localhost") continue;
    reference.tag.clear();
    reference.digest = image.manifest;
    return reference;
  }
  return std::nullopt;
}

void fetch(const engine::Engine& engine, const std::string& image_id) {
  const auto image = engine.images().find_image("sha256:" + image_id);
  const auto source = image ? find_source(*image) : std::nullopt;
  if (!source) return;
  const std::string name = render(*source);
  const sys::ExitStatus status =
      engine::run_helper("knarr-registry", {"knarr", "--root", engine.store().root(), "--runroot",
                                            engine.paths().run_root, "pull", "-q", "--", name});
  const bool had_name = std::find(image->names.begin(), image->names.end(), name) != image->names.end();
  if (status.code == 0 && !had_name) engine.images().untag_name(*source);
}

}  // namespace

void fetch_lost(const engine::Engine& engine, std::vector<CheckedFinding>& findings) {
  std::set<std::string> image_ids;
  std::vector<CheckedFinding*> lost;
  for (CheckedFinding& checked : findings) {
    if (!is_lost(engine, checked.finding)) continue;
    image_ids.insert(checked.finding.image_ids.begin(), checked.finding.image_ids.end());
    lost.push_back(&checked);
  }
  for (const std::string& id : image_ids) fetch(engine, id);
  for (CheckedFinding* checked : lost) {
    if (is_lost(engine, checked->finding)) continue;
    checked->outcome = Outcome::repaired;
    checked->finding.repaired = "fetched again";
    checked->finding.cure.clear();
  }
}

}  // namespace knarr::cli
