// SPDX-License-Identifier: Apache-2.0
// Volumes, mounts, tmpfs and devices as a user writes them. All pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// --volume [SOURCE:]DESTINATION[:OPTIONS]
MountRequest parse_volume(const CreateRequest& request, std::string_view text);
// --mount type=TYPE,key=value,...
MountRequest parse_mount(const CreateRequest& request, std::string_view text);
// --tmpfs DESTINATION[:OPTIONS]
MountRequest parse_tmpfs(std::string_view text);
// --device SOURCE[:DESTINATION][:PERMISSIONS]
DeviceRequest parse_device(std::string_view text);

// --volumes-from CONTAINER[:OPTIONS]
struct VolumesFromSpec {
  std::string container;
  bool read_only = false, read_write = false;  // neither: as it is in that container
};
VolumesFromSpec parse_volumes_from(std::string_view text);

// All mounts of the user and of the image, one a destination. Anonymous volumes are named after container_id.
std::vector<MountRequest> plan_mount_requests(const CreateRequest& request, const storage::ImageConfig& image,
                                              const std::string& container_id);

// 64 hex digits, another value for each container and index.
std::string anonymous_volume_name(const std::string& container_id, std::size_t index);

}  // namespace knarr::engine
