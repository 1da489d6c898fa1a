// SPDX-License-Identifier: Apache-2.0
#include "engine/network/reservations.h"

#include <fcntl.h>

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

std::string directory_of(const std::string& store_root, const std::string& network) {
  return concat(store_root, "/addresses/", network);
}

template <typename Act>
void visit_wishes(const std::string& store_root, const ContainerConfig& config, Act act) {
  for (const NetworkAttachment& attachment : config.networks) {
    for (const netns::IpAddress& address : attachment.addresses)
      act(directory_of(store_root, attachment.network), concat(netns::render_ip(address), " ", config.id));
  }
}

}  // namespace

void reserve_addresses(const std::string& store_root, const ContainerConfig& config) {
  visit_wishes(store_root, config, [](const std::string& directory, const std::string& name) {
    sys::make_directories(AT_FDCWD, directory, 0700);
    sys::replace_file(AT_FDCWD, concat(directory, "/", name), "", 0600, sys::Durability::none);
  });
}

void forget_reservations(const std::string& store_root, const ContainerConfig& config) {
  visit_wishes(store_root, config, [](const std::string& directory, const std::string& name) {
    sys::unlink_if_exists(AT_FDCWD, concat(directory, "/", name));
  });
}

std::set<netns::IpAddress> reserved_addresses(const std::string& store_root, const std::string& network,
                                              const std::string& own_id,
                                              const std::function<bool(const std::string& id)>& exists) {
  std::set<netns::IpAddress> addresses;
  for (const std::string& name : sys::list_directory(AT_FDCWD, directory_of(store_root, network))) {
    const auto parts = split_once(name, ' ');
    const auto address = parts ? netns::parse_ip(parts->first) : std::nullopt;
    if (!address || parts->second == own_id) continue;
    if (exists(parts->second)) {
      addresses.insert(*address);
    } else {
      // Its monitor removed the container.
      sys::unlink_if_exists(AT_FDCWD, concat(directory_of(store_root, network), "/", name));
    }
  }
  return addresses;
}

}  // namespace knarr::engine
