// SPDX-License-Identifier: Apache-2.0
// What is in a tree, added up. Run inside R: elsewhere directories of subordinate ids cannot be read.
#pragma once

#include <cstdint>
#include <string>

namespace knarr::storage {

struct TreeUsage {
  std::uint64_t bytes =
      0;  // of files and links, each inode once; directories and what a clone refers to do not count
  std::uint32_t highest_uid = 0, highest_gid = 0;
};

// Below an open directory, itself included, without following links or crossing into other file systems. What
// vanishes meanwhile does not count.
TreeUsage measure_tree(int directory_fd);

// The bytes of a file or a tree by its name; 0 when it is missing.
std::uint64_t measure_path(int dir_fd, const std::string& path);

}  // namespace knarr::storage
