// SPDX-License-Identifier: Apache-2.0
// Named volumes: volumes/<name>/{_data,meta.json}.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rootless/sys/error.h"
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

  // A volume that lost its record is one without labels; a record that cannot be understood throws.
  std::optional<Volume> find_volume(const std::string& name) const;
  Volume get_volume(const std::string& name) const;
  // Name grammar [a-zA-Z0-9][a-zA-Z0-9_.-]*; Conflict when it exists. An anonymous volume without a name gets
  // one of 64 hex digits. Unsupported for another driver than "local"; `options` are kept, their meaning is
  // the engine's.
  Volume create_volume(const Volume& wanted) const;
  Volume ensure_volume(const Volume& wanted) const;  // find or create
  // Sorted by name. One damaged record does not hide the others; `damaged` hears of it.
  using DamageReport = std::function<void(const Error&)>;
  std::vector<Volume> list_volumes(const DamageReport& damaged = {}) const;
  // Exclusive: for the copy-up of the first container that mounts it. NotFound when it is gone.
  sys::Lock lock_volume(const std::string& name) const;
  void mark_copied_up(const std::string& name) const;
  bool has_volume(const std::string& name) const;     // whatever its record looks like
  void remove_volume(const std::string& name) const;  // to trash/; NotFound
  // Gives a volume whose record is lost one without labels: its data is worth more than they are.
  void restore_record(const std::string& name) const;

 private:
  const Store& store_;
};

}  // namespace knarr::storage
