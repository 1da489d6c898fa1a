// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "rootless/host.h"
#include "storage/registry/registries_conf.h"

namespace knarr::storage {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string from_environment(const char* name, const std::string& missing) {
  std::string value = from_environment(name);
  return value.empty() ? missing : value;
}

}  // namespace

std::string ConfigPlaces::variable(const std::string& name) const {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

ConfigPlaces config_places() {
  ConfigPlaces places;
  places.home = from_environment("HOME");
  places.config_home = from_environment("XDG_CONFIG_HOME", places.home + "/.config");
  places.cache_home = from_environment("XDG_CACHE_HOME", places.home + "/.cache");
  places.runtime_dir = from_environment("XDG_RUNTIME_DIR");
  for (const char* name :
       {"CONTAINERS_REGISTRIES_CONF", "CONTAINERS_REGISTRIES_CONF_OVERRIDE", "CONTAINERS_SHORT_NAME_ALIASING",
        "CONTAINERS_SIGNATURE_POLICY", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "PATH"}) {
    if (std::string value = from_environment(name); !value.empty())
      places.environment[name] = std::move(value);
  }
  places.user = ::geteuid();
  places.rootful = rootless::is_rootful();
  return places;
}

}  // namespace knarr::storage
