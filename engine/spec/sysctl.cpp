// SPDX-License-Identifier: Apache-2.0
#include "engine/spec/parts.h"

namespace knarr::engine {

void build_sysctls(const SpecInput& input, const NamespacePlanning& namespaces, Spec& spec) {
  for (const auto& [name, value] : input.config.sysctls) spec.sysctl[sysctl_path(name)] = value;
  if (namespaces.network.kind != NamespaceMode::Kind::own) return;
  // Lets ping(8) work without CAP_NET_RAW.
  constexpr const char* ping = "net/ipv4/ping_group_range";
  if (!spec.sysctl.contains(ping)) spec.default_sysctl[ping] = "0 0";
}

}  // namespace knarr::engine
