// SPDX-License-Identifier: Apache-2.0
// Files of a finished tree by canonical path. No link is followed: whatever the tree holds, nothing outside
// of it is reached.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rootless/sys/unique_fd.h"

namespace knarr::storage {

class TreeFiles {
 public:
  explicit TreeFiles(int root_fd) : root_fd_(root_fd) {}  // borrowed

  // The directory a path lies in, O_PATH; -1 when it is missing or no directory. Valid until the next call.
  int open_parent(std::string_view path);
  // For reading; empty when there is no regular file of that name.
  sys::UniqueFd open_file(std::string_view path);

 private:
  int root_fd_;
  std::string parent_;  // the path of parent_fd_: most files are asked for one directory after the other
  sys::UniqueFd parent_fd_;
};

}  // namespace knarr::storage
