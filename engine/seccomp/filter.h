// SPDX-License-Identifier: Apache-2.0
// The seccomp filter of a container, ready for the kernel.
#pragma once

#include "engine/engine.h"
#include "engine/launch/arena.h"
#include "engine/launch/launch_plan.h"
#include "engine/spec/spec.h"

namespace knarr::engine {

// For spec.seccomp and the bounding set of spec.process. The default profile with the default capabilities is
// part of this program; others are compiled by knarr-seccomp and kept by content. Lives as long as the arena.
SeccompFilter load_filter(const Engine& engine, const Spec& spec, Arena& arena);

}  // namespace knarr::engine
