// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/displaced.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/meta/random.h"

namespace knarr::storage {
namespace {

// Honest layers write few names twice; these bound what a hostile one makes us remember.
constexpr std::uint32_t max_displaced = 1u << 16;
constexpr std::size_t max_path_bytes = 8u << 20;

}  // namespace

void Displaced::clear(int dir_fd, const std::string& name, std::string_view directory) {
  const auto info = sys::stat_at(dir_fd, name, AT_SYMLINK_NOFOLLOW);
  if (!info) return;
  const bool is_directory = S_ISDIR(info->st_mode);
  if (is_directory || (S_ISREG(info->st_mode) && info->st_size > 0)) {
    std::string place;
    if (note(directory.empty() ? name : concat(directory, '/', name), place)) {
      if (::renameat(dir_fd, name.c_str(), root_fd_, place.c_str()) < 0) throw_errno("moving aside ", name);
      return;
    }
  }
  if (is_directory) return sys::remove_tree(dir_fd, name);
  if (::unlinkat(dir_fd, name.c_str(), 0) < 0 && errno != ENOENT) throw_errno("replacing it");
}

// False: it is not kept.
bool Displaced::note(const std::string& path, std::string& place) {
  if (root_fd_ < 0) return false;
  const std::lock_guard lock(mutex_);
  path_bytes_ += path.size();
  if (count_ == max_displaced || path_bytes_ > max_path_bytes) files_.is_complete = false;
  if (!files_.is_complete) return false;
  if (files_.directory.empty()) {
    // No entry can have this name: it is one of AUFS's own, which are left out.
    const std::string directory = ".wh..wh." + random_hex(16);
    sys::make_directory(root_fd_, directory, 0700);
    files_.directory = directory;
  }
  place = concat(files_.directory, '/', count_);
  files_.numbers[path].push_back(count_++);
  return true;
}

}  // namespace knarr::storage
