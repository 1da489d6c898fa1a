// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_usage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

class Measurer {
 public:
  void measure(int directory_fd) {
    struct stat info {};
    if (::fstat(directory_fd, &info) < 0) throw_errno("measuring a directory");
    device_ = info.st_dev;
    count_owner(info);
    walk(directory_fd);
  }
  const TreeUsage& usage() const { return usage_; }

 private:
  void walk(int directory_fd) {
    for (const std::string& name : sys::list_directory(directory_fd, ".")) {
      const auto info = sys::stat_at(directory_fd, name, AT_SYMLINK_NOFOLLOW);
      if (!info || info->st_dev != device_) continue;
      count_owner(*info);
      if (S_ISDIR(info->st_mode)) {
        const sys::UniqueFd child = sys::find_at(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (child) walk(child.get());
      } else if ((info->st_nlink < 2 || seen_.insert(info->st_ino).second) &&
                 !refers_to_layer(directory_fd, name)) {
        usage_.bytes += static_cast<std::uint64_t>(info->st_size);
      }
    }
  }

  // As clone_layers() makes them: the size is that of a layer's file, the content stays there.
  static bool refers_to_layer(int directory_fd, const std::string& name) {
    const std::string path = concat("/proc/self/fd/", directory_fd, '/', name);
    return ::lgetxattr(path.c_str(), "user.overlay.metacopy", nullptr, 0) >= 0;
  }

  void count_owner(const struct stat& info) {
    usage_.highest_uid = std::max<std::uint32_t>(usage_.highest_uid, info.st_uid);
    usage_.highest_gid = std::max<std::uint32_t>(usage_.highest_gid, info.st_gid);
  }

  TreeUsage usage_;
  dev_t device_ = 0;
  std::set<ino_t> seen_;  // of files with several names
};

}  // namespace

TreeUsage measure_tree(int directory_fd) {
  Measurer measurer;
  measurer.measure(directory_fd);
  return measurer.usage();
}

std::uint64_t measure_path(int dir_fd, const std::string& path) {
  const auto info = sys::stat_at(dir_fd, path, AT_SYMLINK_NOFOLLOW);
  if (!info) return 0;
  if (!S_ISDIR(info->st_mode)) return static_cast<std::uint64_t>(info->st_size);
  const sys::UniqueFd directory = sys::find_at(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return directory ? measure_tree(directory.get()).bytes : 0;
}

}  // namespace knarr::storage
