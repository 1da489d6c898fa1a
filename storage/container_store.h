// SPDX-License-Identifier: Apache-2.0
// Containers as directories and names. What the documents in them mean is the engine's business.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"

namespace knarr::storage {

struct NewContainer {
  std::string id;           // 64 hex digits
  std::string name;         // [a-zA-Z0-9][a-zA-Z0-9_.-]*
  std::string config_json;  // config.json
  std::string summary;      // one line, at most 4 KiB: what `ps` needs without JSON
  sys::Durability durability = sys::Durability::synced;
};

struct ContainerEntry {
  std::string id;
  std::string summary;
};

class ContainerStore {
 public:
  explicit ContainerStore(const Store& store) : store_(store) {}

  // containers/<id>/{config.json,summary,upper/,work/}, then the name. Conflict when the name is taken (by a
  // name whose container is gone it is taken over). Nothing is left behind on failure.
  void create(const NewContainer& container) const;
  // By id, by name, by unique prefix of an id. InvalidArgument when the prefix is ambiguous.
  std::optional<std::string> find_id(std::string_view name_or_id) const;
  std::string get_id(std::string_view name_or_id) const;  // NotFound: no container with name or ID "X" found
  std::vector<ContainerEntry> list() const;
  std::string read(const std::string& id, const std::string& file) const;
  std::optional<std::string> read_if_exists(const std::string& id, const std::string& file) const;
  void replace(const std::string& id, const std::string& file, std::string_view content,
               sys::Durability durability) const;
  void rename(const std::string& id, const std::string& old_name, const std::string& new_name) const;
  // Name first, then the directory into trash/: one instant. False when it was gone already.
  bool remove(const std::string& id, const std::string& name) const;
  sys::Lock lock(const std::string& id) const;  // exclusive; NotFound when it is gone
  std::string relative_path(const std::string& id) const { return "containers/" + id; }
  std::string path(const std::string& id) const { return store_.path(relative_path(id)); }

 private:
  const Store& store_;
};

}  // namespace knarr::storage
