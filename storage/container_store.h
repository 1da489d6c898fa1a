// SPDX-License-Identifier: Apache-2.0
// Containers as directories and names. What the documents in them mean is the engine's business.
//
// A container exists when containers/<id> is there with its config.json or its summary; it has both, unless
// it is being made or damaged. The symlink in names/ is made last, so a directory without a name and without
// a lock is what a crash left: find_garbage() tells. Taking a name away (remove, rename, taking over a dead
// one) happens under a lock on names/, held for microseconds; giving a new one is symlink(2), which one of
// many wins, and needs no lock.
#pragma once

#include <functional>
#include <map>
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
  std::string summary;  // the file: the line of NewContainer::summary, and what was written behind it since
};

class ContainerStore {
 public:
  explicit ContainerStore(const Store& store) : store_(store) {}

  // containers/<id>/{config.json,summary,upper/,work/}, then the name. Conflict when the name is taken (by a
  // name whose container is gone it is taken over). Nothing is left behind on failure, also when there
  // are no more descriptors. upper/ has mode 0755 and belongs to the caller. The result is the lock() on the
  // new container, held since before anybody could see it; who has no use for it drops it.
  sys::Lock create(const NewContainer& container) const;
  // Makes a container that was created with Durability::none as durable as the others. NotFound when it is
  // gone.
  void make_durable(const std::string& id) const;
  // By id, by name, by unique prefix of an id, in this order. InvalidArgument when the prefix is ambiguous.
  std::optional<std::string> find_id(std::string_view name_or_id) const;
  std::string get_id(std::string_view name_or_id) const;  // NotFound: no container with name or ID "X" found
  // In no order. The summary is empty when it cannot be read: the container is just being made or removed, or
  // is damaged.
  std::vector<ContainerEntry> list() const;
  std::string read(const std::string& id, const std::string& file) const;
  std::optional<std::string> read_if_exists(const std::string& id, const std::string& file) const;
  // The whole file by rename(2). NotFound when the container is gone.
  void replace(const std::string& id, const std::string& file, std::string_view content,
               sys::Durability durability) const;
  // Conflict when the new name is taken. While `record` writes the new name into the container's records it
  // has both names; when that throws, the old one is left.
  void rename(const std::string& id, const std::string& old_name, const std::string& new_name,
              const std::function<void()>& record) const;
  bool has_cut_rename(const std::string& id) const;
  // Takes away which of the two names is not `name`, if a rename was cut short.
  void end_rename(const std::string& id, const std::string& name) const;
  // Name first, then the directory into trash/: one instant. False when it was gone already. The name stays
  // when it means another container by now.
  bool remove(const std::string& id, const std::string& name) const;
  sys::Lock lock(const std::string& id) const;  // exclusive; NotFound when it is gone

  // Containers whose making or removal a crash cut short: without a config, or with no name, and with nobody
  // at work on them at this moment.
  std::vector<std::string> find_garbage() const;
  // Takes one of them away if it still is garbage; the caller made sure that no process of it lives.
  bool remove_garbage(const std::string& id) const;
  // All names; the id is empty for what is no link to a container. The container may be gone.
  std::map<std::string, std::string> names() const;
  // One more name for a container. Conflict when another one has it.
  void give_name(const std::string& id, const std::string& name) const;
  // Takes a name away when it leads to `id`, or when `id` is empty and it leads nowhere.
  void take_name(const std::string& id, const std::string& name) const;
  // Removes names of containers that are gone; returns how many.
  std::size_t remove_dangling_names() const;
  std::string relative_path(const std::string& id) const { return "containers/" + id; }
  std::string path(const std::string& id) const { return store_.path(relative_path(id)); }

 private:
  const Store& store_;
};

}  // namespace knarr::storage
