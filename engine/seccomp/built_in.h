// SPDX-License-Identifier: Apache-2.0
// The default profile for the usual capabilities, compiled when knarr was built.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>

#include "rootless/capability.h"

namespace knarr::engine::seccomp {

struct BuiltInFilter {
  rootless::CapabilitySet capabilities;
  const sock_filter* program;
  std::size_t length;
};

struct BuiltIn {
  // Those that the default profile looks at. Sets that differ in others only have the same filter.
  rootless::CapabilitySet relevant;
  // Of all that the default profile becomes with other capabilities: it changes with the profile, the
  // compiler and its tables of numbers.
  std::uint64_t fingerprint;
  const BuiltInFilter* filters;
  std::size_t count;
};
extern const BuiltIn built_in;  // seccomp_built_in.cpp in the build directory

// nullptr when the build made none for these.
const BuiltInFilter* find_built_in(rootless::CapabilitySet capabilities);

}  // namespace knarr::engine::seccomp
