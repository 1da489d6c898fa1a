// SPDX-License-Identifier: Apache-2.0
#include "engine/request/environment.h"

#include "engine/spec/parts.h"

namespace knarr::engine {

std::vector<std::string> build_environment(const ContainerConfig& config, const std::string& hostname) {
  Environment environment;
  for (const std::string& entry : config.env) environment.set_entry(entry);
  if (!environment.find("HOSTNAME")) environment.set("HOSTNAME", hostname);
  return environment.entries();
}

}  // namespace knarr::engine
