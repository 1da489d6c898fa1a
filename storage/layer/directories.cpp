// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/directories.h"

#include <fcntl.h>

#include "rootless/sys/error.h"
#include "storage/layer/entry_path.h"

namespace knarr::storage {
namespace {

// Three layers at once and their waiting files must fit into the usual 1024 descriptors.
constexpr std::size_t max_open = 48;
constexpr std::size_t max_directories = 1u << 20;

sys::UniqueFd open_child(int dir_fd, const std::string& name, int flags) {
  sys::UniqueFd fd(::openat(dir_fd, name.c_str(), flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) throw_errno("opening directory ", name);
  return fd;
}

}  // namespace

Directories::Directories(int root_fd) {
  Directory& top = all_.emplace_back();
  top.handle = std::make_shared<sys::UniqueFd>(open_child(root_fd, ".", O_PATH));
  by_path_.emplace(top.path, &top);
}

Directory* Directories::find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

Directory* Directories::find_child(const Directory& parent, std::string_view name) const {
  return parent.path.empty() ? find(name) : find(concat(parent.path, '/', name));
}

Directory& Directories::add(Directory& parent, std::string_view name) {
  if (all_.size() >= max_directories) throw InvalidArgument("the layer has too many directories");
  Directory& directory = all_.emplace_back();
  directory.parent = &parent;
  directory.path = parent.path.empty() ? std::string(name) : concat(parent.path, '/', name);
  directory.id = static_cast<std::uint32_t>(all_.size());
  by_path_.emplace(directory.path, &directory);
  return directory;
}

void Directories::forget(Directory& directory) {
  const std::string below = directory.path + "/";
  for (Directory& each : all_) {
    if (each.is_removed || (&each != &directory && !each.path.starts_with(below))) continue;
    each.is_removed = true;
    by_path_.erase(each.path);
    if (each.handle) recent_.erase(each.recent);
    each.handle.reset();
  }
}

DirectoryHandle Directories::open(Directory& directory) {
  if (directory.parent == nullptr) return directory.handle;
  if (directory.handle) {
    recent_.splice(recent_.begin(), recent_, directory.recent);
    return directory.handle;
  }
  const DirectoryHandle parent = open(*directory.parent);
  const std::string name(leaf_of(directory.path));
  directory.handle = std::make_shared<sys::UniqueFd>(open_child(parent->get(), name, O_PATH));
  recent_.push_front(&directory);
  directory.recent = recent_.begin();
  if (recent_.size() > max_open) {
    recent_.back()->handle.reset();
    recent_.pop_back();
  }
  return directory.handle;
}

sys::UniqueFd Directories::open_for_attributes(Directory& directory) {
  return open_child(open(directory)->get(), ".", O_RDONLY);
}

}  // namespace knarr::storage
