// SPDX-License-Identifier: Apache-2.0
// What a later entry of a layer's tar took the name of. The tree does not need it, but the tar has its
// content, so it is moved aside and kept until that is stored elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::storage {

struct DisplacedFiles {
  // A directory in the root of the tree, empty when there is none. In it lies each file or directory by its
  // number.
  std::string directory;
  // By the path that they had, in the order in which they lost it.
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> numbers;
  bool is_complete = true;  // false: there were too many, some are gone
};

// For several threads.
class Displaced {
 public:
  Displaced() = default;                                  // keeps nothing: what is in the way is deleted
  explicit Displaced(int root_fd) : root_fd_(root_fd) {}  // borrowed

  // Takes `name` out of the directory `dir_fd`, whose path from the root is `directory`; missing is fine.
  void clear(int dir_fd, const std::string& name, std::string_view directory);

  DisplacedFiles take() { return std::move(files_); }

 private:
  bool note(const std::string& path, std::string& place);

  int root_fd_ = -1;
  std::mutex mutex_;
  DisplacedFiles files_;
  std::uint32_t count_ = 0;
  std::size_t path_bytes_ = 0;
};

}  // namespace knarr::storage
