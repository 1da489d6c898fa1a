// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "storage/registry/registries_conf.h"

namespace knarr::storage {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string variable_or(const char* name, const std::string& missing) {
  std::string value = variable(name);
  return value.empty() ? missing : value;
}

}  // namespace

ConfigPlaces config_places() {
  ConfigPlaces places;
  places.home = variable("HOME");
  places.config_home = variable_or("XDG_CONFIG_HOME", places.home + "/.config");
  places.cache_home = variable_or("XDG_CACHE_HOME", places.home + "/.cache");
  places.runtime_dir = variable("XDG_RUNTIME_DIR");
  for (const char* name :
       {"CONTAINERS_REGISTRIES_CONF", "CONTAINERS_REGISTRIES_CONF_OVERRIDE", "CONTAINERS_SHORT_NAME_ALIASING",
        "CONTAINERS_SIGNATURE_POLICY", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "PATH"}) {
    if (std::string value = variable(name); !value.empty()) places.environment[name] = std::move(value);
  }
  places.rootful = ::geteuid() == 0;
  return places;
}

}  // namespace knarr::storage
