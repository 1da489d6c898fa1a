// SPDX-License-Identifier: Apache-2.0
// The definitions of networks: one file each, NAME.json, in a directory that may be podman's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/network/network.h"
#include "rootless/sys/error.h"
#include "rootless/sys/lock.h"

namespace knarr::engine {

constexpr const char* default_network_name = "podman";
// There without a file, too; a file of this name replaces it.
Network default_network();

// --network-config-dir; below a store that --root chose; else where podman's are.
struct NetworkPlaceOptions {
  std::string network_config_dir;  // empty: not given
  std::string root;                // --root, empty: not given
  bool rootful = false;
};
std::string network_directory(const NetworkPlaceOptions& options);

class NetworkStore {
 public:
  explicit NetworkStore(std::string directory) : directory_(std::move(directory)) {}

  // By name, else by the beginning of an id. A damaged file of that name throws; others do not matter.
  std::optional<Network> find(const std::string& name_or_id) const;
  Network get(const std::string& name_or_id) const;  // throws NotFound
  // Sorted by name. One damaged file does not hide the others; `damaged` hears of it.
  using DamageReport = std::function<void(const Error&)>;
  std::vector<Network> list(const DamageReport& damaged = {}) const;

  // Exclusive for who adds or removes a network; shared for who makes a container that needs one to stay.
  sys::Lock lock(sys::Lock::Mode mode) const;
  void create(const Network& network) const;  // Conflict when the name is taken
  void replace(const Network& network) const;
  void remove(const std::string& name) const;  // NotFound; the default network cannot be removed

  const std::string& directory() const { return directory_; }

 private:
  std::optional<Network> read(const std::string& name) const;
  std::string directory_;
};

}  // namespace knarr::engine
