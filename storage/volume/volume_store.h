// SPDX-License-Identifier: Apache-2.0
// Named volumes: volumes/<name>/{_data,meta.json}.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/store.h"

namespace knarr::storage {

struct Volume {
  std::string name;
  std::string driver = "local";
  std::string created;  // RFC 3339
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;
  bool anonymous = false;
  bool needs_copy_up = true;  // nothing was mounted from it yet
  std::string mountpoint;     // absolute path of _data
};

class VolumeStore {
 public:
  explicit VolumeStore(const Store& store) : store_(store) {}

  std::optional<Volume> find_volume(const std::string& name) const;
  Volume get_volume(const std::string& name) const;
  // Name grammar [a-zA-Z0-9][a-zA-Z0-9_.-]*; Conflict when it exists. An anonymous volume without a name gets
  // one of 64 hex digits. Unsupported for another driver than "local"; `options` are kept, their meaning is
  // the engine's.
  Volume create_volume(const Volume& wanted) const;
  Volume ensure_volume(const Volume& wanted) const;  // find or create
  std::vector<Volume> list_volumes() const;          // sorted by name
  // Exclusive: for the copy-up of the first container that mounts it. NotFound when it is gone.
  sys::Lock lock_volume(const std::string& name) const;
  void mark_copied_up(const std::string& name) const;
  void remove_volume(const std::string& name) const;  // to trash/

 private:
  const Store& store_;
};

}  // namespace knarr::storage
