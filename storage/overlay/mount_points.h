// SPDX-License-Identifier: Apache-2.0
// A layer of our own below those of an image: the places that every container's mounts go to. Few images have
// all of them, and what is missing each container would make in its upper directory and remove with it.
#pragma once

#include <array>
#include <string>

#include "storage/store.h"

namespace knarr::storage {

// Below the root of the layer; they show where nothing is mounted on them.
inline constexpr std::array mount_point_files = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf",
                                                 "/run/.containerenv"};

// Absolute. All containers share it, and nothing in it ever changes.
std::string mount_points_path(const Store& store);

bool has_mount_points(const Store& store);
// Whole or not at all; returns at once when it is there.
void make_mount_points(const Store& store);

}  // namespace knarr::storage
