// SPDX-License-Identifier: Apache-2.0
// The parts build_spec() puts together, one file each. All pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/request/namespaces.h"
#include "engine/request/security.h"
#include "engine/spec/spec.h"

namespace knarr::engine {

// What the namespaces of a container have to do with those of others: decided first, since the mounts depend
// on it.
struct NamespacePlanning {
  std::vector<SpecNamespace> namespaces;
  rootless::IdMap uid_mappings, gid_mappings;
  NamespaceMode pid, ipc, uts, cgroup, network;
  bool new_user_namespace = false;
  // The kernel mounts sysfs only for the owner of the network namespace, proc only for that of the pid
  // namespace, mqueue only for that of the ipc namespace.
  bool owns_network = true, owns_pid = true, owns_ipc = true, owns_cgroup = true;
  bool group_tty_mapped = true;  // gid 5, the group of terminals
};
NamespacePlanning plan_spec_namespaces(const SpecInput& input);

// The maps of a new user namespace, inside → R.
rootless::IdMaps plan_id_maps(const ContainerConfig& config, const rootless::HostFacts& host);
// --userns=nomap: all ids of `outer` but the user's own, from 0.
rootless::IdMap plan_no_map(const rootless::IdMap& outer);
// --userns=keep-id:size=N: ids up to N only, and the user's own in any case.
rootless::IdMap limit_ids(const rootless::IdMap& map, std::uint32_t size, std::uint32_t own_id);

void build_mounts(const SpecInput& input, const NamespacePlanning& namespaces,
                  const SecurityOptions& security, Spec& spec);
// Parents before children, otherwise as they come.
void sort_parents_first(std::vector<SpecMount>& mounts);

void build_accounts(const SpecInput& input, Spec& spec);
void build_devices(const SpecInput& input, Spec& spec);
void build_security(const SpecInput& input, const NamespacePlanning& namespaces,
                    const SecurityOptions& security, Spec& spec);
void build_limits(const SpecInput& input, Spec& spec);
void build_sysctls(const SpecInput& input, const NamespacePlanning& namespaces, Spec& spec);
std::vector<std::string> build_environment(const ContainerConfig& config, const std::string& hostname);

// Whether the user mounts something exactly there.
const MountRequest* find_user_mount(const ContainerConfig& config, std::string_view destination);
// Whether the user's mount there holds the user's own files, so that the engine puts none of its own in.
bool holds_user_files(const MountRequest* mount);

}  // namespace knarr::engine
