// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/spec/parts.h"

namespace knarr::engine {

namespace {

struct DefaultDevice {
  const char* path;
  unsigned major, minor;
};
// Documentation/admin-guide/devices.txt of the kernel
constexpr DefaultDevice default_devices[] = {{"/dev/null", 1, 3},    {"/dev/zero", 1, 5},
                                             {"/dev/full", 1, 7},    {"/dev/random", 1, 8},
                                             {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

}  // namespace

void build_devices(const SpecInput& input, Spec& spec) {
  const bool own_dev = holds_user_files(find_user_mount(input.config, "/dev"));
  spec.device_links = !own_dev;
  const auto add = [&](const SpecDevice& device) {
    const bool present =
        std::any_of(spec.devices.begin(), spec.devices.end(),
                    [&device](const SpecDevice& other) { return other.path == device.path; });
    if (!present && find_user_mount(input.config, device.path) == nullptr) spec.devices.push_back(device);
  };
  // What the user named comes before a default of the same path.
  if (!own_dev || !input.config.privileged) {
    for (const SpecDevice& device : input.facts.devices) add(device);
  }
  if (own_dev) return;
  for (const DefaultDevice& device : default_devices) {
    add({.path = device.path, .host_path = device.path, .major = device.major, .minor = device.minor});
  }
}

}  // namespace knarr::engine
