// SPDX-License-Identifier: Apache-2.0
// The same as mounts.h by mount(2), for kernels before 5.12 and seccomp shims that know no newer calls.
// Descriptors are named /proc/self/fd/N, so here too no path of a container is resolved a second time.
// Attributes hold for the mount itself only; the mounts below a recursive bind keep theirs.
#pragma once

#include "engine/init/mounts.h"

namespace knarr::engine::init {

bool legacy_mount_filesystem(const char* fstype, const char* source, Span<MountOption> options,
                             std::uint64_t attributes, int target_fd);
bool legacy_bind(int source_fd, int target_fd, bool recursive);
// `mount_fd` is the root of an attached mount.
bool legacy_change_mount(int mount_fd, const MountChange& change);

// Mounts an overlay with its layers in one option string: by their paths, or by names of descriptors where
// the paths do not fit in the page that mount(2) takes.
bool legacy_mount_overlay(Span<MountOption> options, int target_fd);

}  // namespace knarr::engine::init
