// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "engine/network/network_json.h"
#include "rootless/host.h"
#include "rootless/sys/file.h"
#include "storage/meta/object_name.h"

namespace knarr::engine {

namespace {

constexpr std::string_view suffix = ".json";
// Others may read them, as podman's: there is nothing secret in them.
constexpr mode_t directory_mode = 0755, file_mode = 0644;

std::string file_name(const std::string& name) {
  return concat(name, suffix);
}

bool is_id_prefix(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string podman_graph_root() {
  const char* data = std::getenv("XDG_DATA_HOME");
  return (data && data[0] == '/' ? std::string(data) : rootless::home_directory() + "/.local/share") +
         "/containers/storage";
}

}  // namespace

Network default_network() {
  Network network;
  network.name = default_network_name;
  network.id = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9";  // podman's
  network.interface = "podman0";
  network.created = "2021-06-03T12:04:33.088567413Z";
  network.subnets = {{.subnet = *netns::parse_subnet("10.88.0.0/16"),
                      .gateway = *netns::parse_ip("10.88.0.1"),
                      .range = {}}};
  network.dns = true;
  return network;
}

std::string network_directory(const NetworkPlaceOptions& options) {
  if (!options.network_config_dir.empty()) return options.network_config_dir;
  if (!options.root.empty()) return options.root + "/networks";
  return options.rootful ? "/etc/containers/networks" : podman_graph_root() + "/networks";
}

std::optional<Network> NetworkStore::read(const std::string& name) const {
  const std::string path = directory_ + "/" + file_name(name);
  const auto json = sys::read_file_if_exists(AT_FDCWD, path, 1u << 20);
  if (!json) return name == default_network_name ? std::optional(default_network()) : std::nullopt;
  return with_context(concat("reading network ", name, ": ", path), [&] {
    Network network = parse_network(*json);
    if (network.name != name) throw InvalidArgument(concat("the file is that of network ", network.name));
    return network;
  });
}

std::optional<Network> NetworkStore::find(const std::string& name_or_id) const {
  if (storage::is_object_name(name_or_id)) {
    if (auto network = read(name_or_id)) return network;
  }
  if (!is_id_prefix(name_or_id)) return std::nullopt;
  std::optional<Network> found;
  for (Network& network : list()) {
    if (!network.id.starts_with(name_or_id)) continue;
    if (found) throw InvalidArgument(concat("more than one network has an ID that begins with ", name_or_id));
    found = std::move(network);
  }
  return found;
}

Network NetworkStore::get(const std::string& name_or_id) const {
  auto network = find(name_or_id);
  if (!network)
    throw NotFound(concat("unable to find network with name or ID ", name_or_id, ": network not found"));
  return *std::move(network);
}

std::vector<Network> NetworkStore::list(const DamageReport& damaged) const {
  std::vector<std::string> names = {default_network_name};
  for (const std::string& file : sys::list_directory(AT_FDCWD, directory_)) {
    if (!file.ends_with(suffix)) continue;
    std::string name = file.substr(0, file.size() - suffix.size());
    if (storage::is_object_name(name) && name != default_network_name) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  std::vector<Network> networks;
  for (const std::string& name : names) {
    try {
      if (auto network = read(name)) networks.push_back(*std::move(network));
    } catch (const Error& error) {
      if (damaged) damaged(error);
    }
  }
  return networks;
}

sys::Lock NetworkStore::lock(sys::Lock::Mode mode) const {
  sys::make_directories(AT_FDCWD, directory_, directory_mode);
  return sys::Lock::acquire(AT_FDCWD, directory_, mode);
}

void NetworkStore::create(const Network& network) const {
  storage::require_object_name("network", network.name);
  const auto taken = [&] {
    return Conflict(concat("network name ", network.name, " already used: network already exists"));
  };
  if (network.name == default_network_name) throw taken();
  sys::make_directories(AT_FDCWD, directory_, directory_mode);
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, directory_);
  try {
    sys::create_file(directory.get(), file_name(network.name), render_network(network), file_mode,
                     sys::Durability::synced);
  } catch (const Conflict&) {
    throw taken();
  }
}

void NetworkStore::replace(const Network& network) const {
  sys::make_directories(AT_FDCWD, directory_, directory_mode);
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, directory_);
  sys::replace_file(directory.get(), file_name(network.name), render_network(network), file_mode,
                    sys::Durability::synced);
}

void NetworkStore::remove(const std::string& name) const {
  if (name == default_network_name)
    throw InvalidArgument(concat("default network ", name, " cannot be removed"));
  storage::require_object_name("network", name);
  if (!sys::unlink_if_exists(AT_FDCWD, directory_ + "/" + file_name(name)))
    throw NotFound(concat("unable to find network with name or ID ", name, ": network not found"));
  if (::fsync(sys::open_directory(AT_FDCWD, directory_).get()) < 0) throw_errno("syncing ", directory_);
}

}  // namespace knarr::engine
