// SPDX-License-Identifier: Apache-2.0
// Keeps containers from overwriting the engine's own program (the class of CVE-2019-5736): until it executes
// the container's program, a process of ours in the container is reachable there as /proc/PID/exe.
#pragma once

#include <string>
#include <vector>

namespace knarr::engine {

// Call first in every command that puts a process into a container. Returns at once when nobody in a
// container can write the program's inode: it belongs to an id that no container of this user maps (a
// package's file, run rootless). Otherwise the program goes on from a sealed copy in memory (memfd_create(2),
// execve(2)) and this call does not return; in the copy it returns at once.
void protect_own_binary(const std::vector<std::string>& argv);

// The path this program was started from, also in the copy.
std::string own_program_path();

}  // namespace knarr::engine
