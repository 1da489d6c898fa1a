// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/copy_up.h"

#include <fcntl.h>

#include "rootless/sys/file.h"
#include "rootless/sys/in_root.h"
#include "storage/tree_copy.h"

namespace knarr::storage {

void copy_up(int tree_fd, const std::string& container_path, const std::string& target) {
  const sys::UniqueFd destination = sys::open_directory(AT_FDCWD, target);
  if (!sys::list_directory(destination.get(), ".").empty()) return;
  const sys::UniqueFd source = sys::find_in_root(tree_fd, container_path, O_RDONLY | O_DIRECTORY);
  if (!source) return;
  copy_tree(source.get(), destination.get(), {});
}

}  // namespace knarr::storage
