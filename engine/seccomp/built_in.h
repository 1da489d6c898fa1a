// SPDX-License-Identifier: Apache-2.0
// The default profile for the default capabilities, compiled when knarr was built.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>

namespace knarr::engine::seccomp {

struct BuiltIn {
  const sock_filter* program;
  std::size_t length;
  // Of all that the default profile becomes with other capabilities: it changes with the profile, the
  // compiler and its tables of numbers.
  std::uint64_t fingerprint;
};
extern const BuiltIn built_in;  // seccomp_built_in.cpp in the build directory

}  // namespace knarr::engine::seccomp
