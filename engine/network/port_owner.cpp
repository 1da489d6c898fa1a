// SPDX-License-Identifier: Apache-2.0
#include "engine/network/port_owner.h"

#include <fcntl.h>

#include <algorithm>

#include "engine/network/run_record.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

bool collide(const PortMapping& one, const PortMapping& other) {
  const auto everywhere = [](const PortMapping& mapping) {
    return !mapping.host_address || netns::is_unspecified(*mapping.host_address);
  };
  if (one.protocol != other.protocol) return false;
  if (!everywhere(one) && !everywhere(other) && one.host_address != other.host_address) return false;
  return one.host_port < other.host_port + other.count && other.host_port < one.host_port + one.count;
}

std::optional<std::string> find_port_owner(const Engine& engine, const PortMapping& wanted) {
  for (const std::string& id : sys::list_directory(AT_FDCWD, engine.paths().run_root + "/containers")) {
    const auto record = read_network_record(engine.run_directory(id));
    const bool owns = record && std::any_of(record->ports.begin(), record->ports.end(),
                                            [&](const PortMapping& port) { return collide(port, wanted); });
    if (owns && engine.is_running(id)) return engine.load_config(id).name;
  }
  return std::nullopt;
}

}  // namespace knarr::engine
