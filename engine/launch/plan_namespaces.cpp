// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>

#include "engine/launch/launch_plan.h"
#include "rootless/sys/error.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace knarr::engine {

namespace {

std::uint64_t clone_flag(const std::string& type) {
  constexpr std::pair<std::string_view, std::uint64_t> flags[] = {
      {"user", CLONE_NEWUSER},   {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},
      {"ipc", CLONE_NEWIPC},     {"uts", CLONE_NEWUTS},  {"cgroup", CLONE_NEWCGROUP},
      {"network", CLONE_NEWNET}, {"time", CLONE_NEWTIME}};
  for (const auto& [name, flag] : flags) {
    if (name == type) return flag;
  }
  throw InvalidArgument(concat("unknown type of namespace: ", type));
}

using Join = NamespacePlan::Join;

// One setns(2) takes any number of a process's namespaces.
void add_join(std::vector<Join>& joins, const SpecNamespace& entry, Arena& arena) {
  const std::uint64_t flag = clone_flag(entry.type);
  if (!entry.path.empty()) {
    joins.push_back({.path = arena.text(entry.path), .types = flag});
    return;
  }
  for (Join& join : joins) {
    if (join.path == nullptr && join.pid == entry.process.pid &&
        join.start_time == entry.process.start_time) {
      join.types |= flag;
      return;
    }
  }
  joins.push_back({.pid = entry.process.pid, .start_time = entry.process.start_time, .types = flag});
}

}  // namespace

NamespacePlan plan_namespaces(const Spec& spec, const rootless::HostFacts& host, Arena& arena) {
  NamespacePlan plan;
  std::vector<Join> joins;
  for (const SpecNamespace& entry : spec.namespaces) {
    if (entry.path.empty() && entry.process.pid == 0) {
      plan.create |= clone_flag(entry.type);
    } else {
      add_join(joins, entry, arena);
    }
  }
  // The user namespace last: within it the right to join what belongs to others is gone.
  std::stable_partition(joins.begin(), joins.end(),
                        [](const Join& join) { return (join.types & CLONE_NEWUSER) == 0; });
  if (joins.size() > std::size(plan.joins)) throw InvalidArgument("too many namespaces to join");
  std::copy(joins.begin(), joins.end(), plan.joins);
  plan.join_count = static_cast<int>(joins.size());

  if ((plan.create & CLONE_NEWUSER) != 0) {
    plan.uid_map = arena.text(rootless::render_id_map(spec.uid_mappings));
    plan.gid_map = arena.text(rootless::render_id_map(spec.gid_mappings));
    plan.deny_setgroups = !host.rootful && rootless::count_ids(host.r_maps.gids) <= 1;
  }
  return plan;
}

}  // namespace knarr::engine
