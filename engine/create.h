// SPDX-License-Identifier: Apache-2.0
// The part of `create` that `run` shares: the record on disk, before anything is done.
#pragma once

#include "engine/run.h"

namespace knarr::engine {

struct CreatedRecord {
  ContainerConfig config;
  sys::Lock lock;  // on the container, held since before anybody could see it
};
// With Durability::none the disk is still to be waited for (ContainerStore::make_durable).
CreatedRecord create_record(const Engine& engine, const CreateOptions& options, sys::Durability durability);

// Takes back what create_record() made, for a container that never ran.
void discard(const Engine& engine, const ContainerConfig& config);
// What it made outside the container's directory: anonymous volumes, the --cidfile.
void forget_side_effects(const Engine& engine, const ContainerConfig& config);

}  // namespace knarr::engine
