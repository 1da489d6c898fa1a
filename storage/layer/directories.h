// SPDX-License-Identifier: Apache-2.0
// The directories of a tree that is being written: all of them by canonical path, a few of them open.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "rootless/sys/unique_fd.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {

// An O_PATH descriptor somebody may still work with after it left the cache.
using DirectoryHandle = std::shared_ptr<const sys::UniqueFd>;

struct Directory {
  Directory* parent = nullptr;  // nullptr: the root
  std::string path;             // from the root, through no link; empty: the root
  std::uint32_t id = 0;
  bool is_explicit = false;  // has an entry of its own in the tar
  bool is_removed = false;
  std::uint32_t mode = 0755;
  std::timespec mtime{};
  DirectoryHandle handle;  // while it is in the cache
  std::list<Directory*>::iterator recent;
};

class Directories {
 public:
  // root_fd is borrowed.
  explicit Directories(int root_fd);

  Directory& root() { return all_.front(); }
  // By canonical path; nullptr for what is no directory of this tree.
  Directory* find(std::string_view path) const;
  Directory* find_child(const Directory& parent, std::string_view name) const;
  // Notes a directory that was just made. Throws InvalidArgument when there are too many.
  Directory& add(Directory& parent, std::string_view name);
  // It and everything below are gone.
  void forget(Directory& directory);

  // Opens component by component from the nearest open ancestor, never through a link.
  DirectoryHandle open(Directory& directory);
  // For what O_PATH cannot do.
  sys::UniqueFd open_for_attributes(Directory& directory);

  std::deque<Directory>& in_order_of_creation() { return all_; }

 private:
  std::deque<Directory> all_;
  std::unordered_map<std::string_view, Directory*> by_path_;
  std::list<Directory*> recent_;  // open ones, latest first
};

}  // namespace knarr::storage
