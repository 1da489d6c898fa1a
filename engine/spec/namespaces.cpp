// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/spec/parts.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using Kind = NamespaceMode::Kind;
using UserKind = UserNamespaceMode::Kind;

constexpr std::uint32_t tty_group = 5;

const LivePids& find_container(const SpecInput& input, const std::string& id) {
  const auto found = input.containers.find(id);
  if (found == input.containers.end())
    throw NotFound(concat("no container with name or ID \"", id, "\" found"));
  return found->second;
}

// Whose user namespace the container shares: that of the container whose namespaces it joins, for only there
// it has a say over them. The network counts most.
std::string sharing_owner(const NamespacePlanning& plan) {
  for (const NamespaceMode* mode : {&plan.network, &plan.pid, &plan.ipc, &plan.uts, &plan.cgroup}) {
    if (mode->kind == Kind::container) return mode->argument;
  }
  return {};
}

void add_user_namespace(const SpecInput& input, const UserNamespaceMode& mode, NamespacePlanning& plan) {
  SpecNamespace entry{.type = "user"};
  if (mode.kind == UserKind::container) {
    entry.process = find_container(input, mode.argument).init;
  } else if (mode.kind == UserKind::path) {
    entry.path = mode.argument;
  } else {
    plan.new_user_namespace = true;
  }
  plan.namespaces.push_back(entry);
}

// The user is 0 in R: kept there, all ids are.
rootless::IdMap plan_kept_id(const rootless::IdMap& outer, std::uint32_t id) {
  return id == 0 ? rootless::plan_nested_identity(outer) : rootless::plan_keep_id(outer, id);
}

void plan_user_namespace(const SpecInput& input, NamespacePlanning& plan) {
  UserNamespaceMode mode = parse_user_namespace_mode(input.config.namespaces.user);
  if (mode.kind == UserKind::host) {
    if (input.host.rootful) return;
    if (std::string owner = sharing_owner(plan); !owner.empty()) {
      mode = {.kind = UserKind::container, .argument = std::move(owner)};
    }
  }
  add_user_namespace(input, mode, plan);
  if (!plan.new_user_namespace) {
    // The other container's ids are those of R, as far as can be told.
    plan.group_tty_mapped = rootless::map_to_outside(input.host.r_maps.gids, tty_group).has_value();
    return;
  }
  rootless::IdMaps maps = plan_id_maps(input.config, input.host);
  plan.uid_mappings = std::move(maps.uids);
  plan.gid_mappings = std::move(maps.gids);
  plan.group_tty_mapped = rootless::map_to_outside(plan.gid_mappings, tty_group).has_value();
}

void add_namespace(const SpecInput& input, const char* type, const NamespaceMode& mode,
                   NamespacePlanning& plan) {
  if (mode.kind == Kind::host) return;
  SpecNamespace entry{.type = type};
  if (mode.kind == Kind::container) entry.process = find_container(input, mode.argument).init;
  if (mode.kind == Kind::path) entry.path = mode.argument;
  plan.namespaces.push_back(std::move(entry));
}

// A namespace belongs to the user namespace it was made in.
bool owns(const SpecInput& input, const NamespacePlanning& plan, const NamespaceMode& mode) {
  if (mode.kind == Kind::own) return true;
  // The initial user namespace has every right over all others.
  const auto user = std::find_if(plan.namespaces.begin(), plan.namespaces.end(),
                                 [](const SpecNamespace& entry) { return entry.type == "user"; });
  if (user == plan.namespaces.end()) return input.host.rootful;
  if (mode.kind != Kind::container) return false;
  return user->process == find_container(input, mode.argument).init;
}

}  // namespace

NamespacePlanning plan_spec_namespaces(const SpecInput& input) {
  const NamespaceModes& modes = input.config.namespaces;
  NamespacePlanning plan;
  plan.pid = parse_namespace_mode(modes.pid);
  plan.ipc = parse_namespace_mode(modes.ipc);
  plan.uts = parse_namespace_mode(modes.uts);
  plan.cgroup = parse_namespace_mode(modes.cgroup);
  plan.network = parse_namespace_mode(modes.network);

  plan_user_namespace(input, plan);
  plan.namespaces.push_back({.type = "mount"});
  add_namespace(input, "pid", plan.pid, plan);
  add_namespace(input, "ipc", plan.ipc, plan);
  add_namespace(input, "uts", plan.uts, plan);
  add_namespace(input, "cgroup", plan.cgroup, plan);
  add_namespace(input, "network", plan.network, plan);
  if (modes.time != "host") add_namespace(input, "time", parse_namespace_mode(modes.time), plan);

  plan.owns_network = owns(input, plan, plan.network);
  plan.owns_pid = owns(input, plan, plan.pid);
  plan.owns_ipc = owns(input, plan, plan.ipc);
  plan.owns_cgroup = owns(input, plan, plan.cgroup);
  return plan;
}

rootless::IdMaps plan_id_maps(const ContainerConfig& config, const rootless::HostFacts& host) {
  const UserNamespaceMode mode = parse_user_namespace_mode(config.namespaces.user);
  const rootless::IdMaps& outer = host.r_maps;
  if (mode.kind == UserKind::no_map) return {plan_no_map(outer.uids), plan_no_map(outer.gids)};
  if (mode.kind == UserKind::automatic) return {config.uid_map, config.gid_map};
  if (mode.kind != UserKind::keep_id) {
    return {rootless::plan_nested_identity(outer.uids), rootless::plan_nested_identity(outer.gids)};
  }
  const std::uint32_t uid = mode.uid.value_or(host.uid);
  const std::uint32_t gid = mode.gid.value_or(host.gid);
  rootless::IdMaps maps{plan_kept_id(outer.uids, uid), plan_kept_id(outer.gids, gid)};
  if (mode.size) maps = {limit_ids(maps.uids, *mode.size, uid), limit_ids(maps.gids, *mode.size, gid)};
  return maps;
}

rootless::IdMaps plan_foreign_maps(const ContainerConfig& config, const rootless::HostFacts& host) {
  const UserKind kind = parse_user_namespace_mode(config.namespaces.user).kind;
  if (kind != UserKind::keep_id && kind != UserKind::no_map && kind != UserKind::automatic) return {};
  rootless::IdMaps maps = plan_id_maps(config, host);
  const rootless::IdMaps same{rootless::plan_nested_identity(host.r_maps.uids),
                              rootless::plan_nested_identity(host.r_maps.gids)};
  return maps == same ? rootless::IdMaps{} : maps;
}

rootless::IdMap plan_no_map(const rootless::IdMap& outer) {
  rootless::IdMap map;
  std::uint32_t next = 0;
  for (rootless::IdExtent extent : outer) {
    // Ids of R start at 0, which is the user.
    if (extent.inside == 0) {
      ++extent.inside;
      --extent.count;
    }
    if (extent.count == 0) continue;
    map.push_back({.inside = next, .outside = extent.inside, .count = extent.count});
    next += extent.count;
  }
  return map;
}

rootless::IdMap limit_ids(const rootless::IdMap& map, std::uint32_t size, std::uint32_t own_id) {
  rootless::IdMap limited;
  for (rootless::IdExtent extent : map) {
    const bool holds_own = own_id >= extent.inside && own_id - extent.inside < extent.count;
    if (extent.inside >= size) {
      if (!holds_own) continue;
      extent = {.inside = own_id, .outside = extent.outside + (own_id - extent.inside), .count = 1};
    } else if (extent.count > size - extent.inside) {
      if (holds_own && own_id >= size) {
        limited.push_back(
            {.inside = own_id, .outside = extent.outside + (own_id - extent.inside), .count = 1});
      }
      extent.count = size - extent.inside;
    }
    limited.push_back(extent);
  }
  return limited;
}

}  // namespace knarr::engine
