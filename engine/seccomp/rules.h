// SPDX-License-Identifier: Apache-2.0
// What of a profile applies to one container on one machine. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/seccomp/profile.h"
#include "rootless/capability.h"

namespace knarr::engine::seccomp {

struct Target {
  rootless::CapabilitySet capabilities = 0;  // the container's bounding set
  std::string architecture;                  // the native one as libseccomp calls it: "x86_64"
  KernelVersion kernel;
};

// A profile's name for an architecture, which is Go's: "x86_64" → "amd64".
std::string machine_name(std::string_view architecture);

// "6.18.3-generic" and "4.8" → {6, 18}, {4, 8}; nullopt for anything that does not begin so.
std::optional<KernelVersion> parse_kernel_version(std::string_view text);

// The rules whose circumstances hold, in the profile's order.
std::vector<Rule> select_rules(const Profile& profile, const Target& target);

// The native architecture first, then those that the profile wants besides; none twice.
std::vector<std::string> select_architectures(const Profile& profile, const Target& target);

}  // namespace knarr::engine::seccomp
