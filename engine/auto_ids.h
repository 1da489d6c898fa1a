// SPDX-License-Identifier: Apache-2.0
// --userns=auto: ids that no other container has.
#pragma once

#include <optional>

#include "engine/container.h"
#include "engine/engine.h"
#include "rootless/sys/lock.h"
#include "storage/image/image.h"

namespace knarr::engine {

// A map of the ids 0..size-1. `fixed` extents are as the user wants them; the others get the lowest ids of
// `outer` (a map of R, or of what is to be given out) that are neither 0, the user's own, nor in `taken` or
// `fixed`. Each extent lies within one of `outer`. Throws Conflict when there are not enough, InvalidArgument
// when `fixed` leaves the range or names an id twice. Pure.
rootless::IdMap plan_auto_map(std::uint32_t size, const rootless::IdMap& fixed, const rootless::IdMap& outer,
                              const rootless::IdMap& taken);

// Gives a container of --userns=auto its maps, which stay its own for as long as its record exists. The lock
// must be held until the record is written. Nothing and nullopt for other containers.
std::optional<sys::Lock> assign_auto_ids(const Engine& engine, const std::optional<storage::Image>& image,
                                         ContainerConfig& config);

}  // namespace knarr::engine
