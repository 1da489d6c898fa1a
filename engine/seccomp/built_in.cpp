// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/built_in.h"

namespace knarr::engine::seccomp {

const BuiltInFilter* find_built_in(rootless::CapabilitySet capabilities) {
  for (std::size_t i = 0; i < built_in.count; ++i) {
    const rootless::CapabilitySet difference = built_in.filters[i].capabilities ^ capabilities;
    if ((difference & built_in.relevant) == 0) return &built_in.filters[i];
  }
  return nullptr;
}

}  // namespace knarr::engine::seccomp
