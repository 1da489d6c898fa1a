// SPDX-License-Identifier: Apache-2.0
// From a container's record to its running process: what `run`, `start` and `restart` share.
#pragma once

#include "engine/launch/launcher.h"
#include "engine/network/network_start.h"

namespace knarr::engine {

struct StartMode {
  bool attached = false;        // a first client is connected from the beginning
  bool input_attached = false;  // and it will send standard input
  bool make_durable = false;    // the record has not been synced yet
  HeldPorts held_ports = {};    // of its last run
};

// The launcher was begun with the same `attached`. The caller holds the container's lock.
Launched start_container(const Engine& engine, const ContainerConfig& config, Launcher& launcher,
                         StartMode mode);

}  // namespace knarr::engine
