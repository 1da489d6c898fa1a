// SPDX-License-Identifier: Apache-2.0
// Capabilities by name and number (capabilities(7)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::rootless {

using CapabilitySet = std::uint64_t;  // bit N is capability N

constexpr int last_known_capability = 40;  // CAP_CHECKPOINT_RESTORE

// "CAP_NET_ADMIN", "net_admin" and "NET_ADMIN" are the same; nullopt for an unknown name.
std::optional<int> parse_capability(std::string_view name);
std::string capability_name(int capability);  // "CAP_NET_ADMIN"
std::vector<std::string> capability_names(CapabilitySet set);
constexpr CapabilitySet capability_bit(int capability) {
  return CapabilitySet{1} << capability;
}
CapabilitySet all_capabilities();      // what this kernel knows (/proc/sys/kernel/cap_last_cap)
CapabilitySet default_capabilities();  // the eleven a container gets

// default, then --cap-add, then --cap-drop; "all" stands for every one. Throws InvalidArgument for unknown
// names.
CapabilitySet plan_capabilities(CapabilitySet base, const std::vector<std::string>& add,
                                const std::vector<std::string>& drop);

}  // namespace knarr::rootless
