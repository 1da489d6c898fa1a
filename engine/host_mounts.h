// SPDX-License-Identifier: Apache-2.0
// The trees of containers and images mounted where the caller can go: as root, and in `knarr unshare`.
//
// What is mounted is what the kernel says (/proc/self/mountinfo), in this mount namespace; nothing notes it.
// A tree that is mounted twice is mounted on itself, and has to be unmounted twice.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "storage/image/image.h"

namespace knarr::engine {

enum class MountedKind { container, image };

struct HostMount {
  std::string id;  // full
  std::string path;
};

// The tree of a running container is the one it sees, without what else is mounted in it; a resting one must
// not be started before it is unmounted.
HostMount mount_container(const Engine& engine, const std::string& id);
HostMount mount_image(const Engine& engine, const storage::Image& image);  // read-only

std::vector<HostMount> list_mounted(const Engine& engine, MountedKind kind);

// Once, or with force as often as it is mounted, whoever is in there. Throws Conflict when it is not mounted.
void unmount(const Engine& engine, MountedKind kind, const std::string& id, bool force);

}  // namespace knarr::engine
