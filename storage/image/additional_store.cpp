// SPDX-License-Identifier: Apache-2.0
#include "storage/image/additional_store.h"

#include <climits>

#include "rootless/sys/error.h"
#include "storage/reference.h"

namespace knarr::storage {

AdditionalStore::AdditionalStore(const Store& store, std::string directory)
    : store_(store), directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.ends_with('/')) directory_.pop_back();
  if (!directory_.starts_with('/'))
    throw InvalidArgument(concat("the image store \"", directory_, "\" is not an absolute path"));
  const std::string name = escape_name(directory_);
  if (name.size() > NAME_MAX)
    throw InvalidArgument(concat("the path of the image store ", directory_, " is too long"));
  view_path_ = "additional/" + name;
}

std::string AdditionalStore::stamp() const {
  // The first line changes when views do, so that those of another version are made anew.
  std::string stamp = "1\n";
  for (const char* table : {"/overlay-images/images.json", "/overlay-layers/layers.json"}) {
    const auto info = sys::stat_at(AT_FDCWD, directory_ + table);
    if (!info)
      throw NotFound(concat("the image store ", directory_, " does not exist, or its driver is not overlay"));
    stamp += concat(info->st_dev, ' ', info->st_ino, ' ', info->st_size, ' ', info->st_mtim.tv_sec, ' ',
                    info->st_mtim.tv_nsec, '\n');
  }
  return stamp;
}

std::optional<Store> AdditionalStore::current_view() const {
  const auto seen = sys::read_file_if_exists(store_.fd(), concat(view_path_, '/', view_stamp_file), 4096);
  if (!seen || *seen != stamp()) return std::nullopt;
  return Store::open(store_.path(view_path_));
}

}  // namespace knarr::storage
