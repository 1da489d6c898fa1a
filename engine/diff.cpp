// SPDX-License-Identifier: Apache-2.0
#include "engine/diff.h"

#include "engine/container_layers.h"
#include "engine/in_r.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using storage::TreeChange;
using storage::TreeStack;

// The two trees, and what in them is nobody's change.
struct DiffPlan {
  TreeStack now, before;
  std::set<std::string> leave_out;
};

void leave_out_mounts(const ContainerConfig& config, std::set<std::string>& paths) {
  paths.merge(engine_places(config));
  for (const MountRequest& mount : config.mounts) paths.insert(mount.destination);
}

TreeStack layers_of(const Engine& engine, const DiffEnd& end, std::set<std::string>& leave_out) {
  if (end.container_id.empty()) return image_layers(engine, end.image->id, end.image->store);
  const ContainerConfig config = engine.load_config(end.container_id);
  leave_out_mounts(config, leave_out);
  return container_layers(engine, config);
}

TreeStack parent_of_container(const Engine& engine, const std::string& id) {
  const ContainerConfig config = engine.load_config(id);
  if (config.image_id.empty()) {
    throw InvalidArgument(concat("container ", config.name,
                                 " has no image to compare it with: it was made of ", config.rootfs));
  }
  return image_layers(engine, config.image_id, config.image_store);
}

DiffPlan plan_diff(const Engine& engine, const DiffEnd& now, const std::optional<DiffEnd>& before) {
  DiffPlan plan;
  plan.now = layers_of(engine, now, plan.leave_out);
  if (before) {
    plan.before = layers_of(engine, *before, plan.leave_out);
  } else if (!now.container_id.empty()) {
    plan.before = parent_of_container(engine, now.container_id);
  } else {
    plan.before = plan.now;
    if (!plan.before.empty()) plan.before.erase(plan.before.begin());
  }
  return plan;
}

// From the child that can read the layers: a NUL ends each, which no path holds.
std::string render_changes(const std::vector<TreeChange>& changes) {
  std::string text;
  for (const TreeChange& change : changes) {
    text += letter_of(change.kind);
    text += change.path;
    text += '\0';
  }
  return text;
}

std::vector<TreeChange> parse_changes(const std::string& text) {
  using Kind = TreeChange::Kind;
  std::vector<TreeChange> changes;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\0', start);
    const Kind kind = text[start] == 'A' ? Kind::added : text[start] == 'C' ? Kind::changed : Kind::deleted;
    changes.push_back({.kind = kind, .path = text.substr(start + 1, end - start - 1)});
    start = end + 1;
  }
  return changes;
}

}  // namespace

std::vector<TreeChange> diff(const Engine& engine, const DiffEnd& now, const std::optional<DiffEnd>& before) {
  const DiffPlan plan = plan_diff(engine, now, before);
  return parse_changes(read_in_r(engine, [&plan] {
    return render_changes(storage::find_changes(plan.now, plan.before, plan.leave_out));
  }));
}

}  // namespace knarr::engine
