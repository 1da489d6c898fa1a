// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_owner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

class Giver {
 public:
  Giver(uid_t uid, gid_t gid) : uid_(uid), gid_(gid) {}

  void give(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) < 0) throw_errno("reading its owner");
    device_ = info.st_dev;
    change(fd, "", info, AT_EMPTY_PATH);
    if (!S_ISDIR(info.st_mode)) return;
    const sys::UniqueFd directory = sys::open_at(fd, ".", O_RDONLY | O_DIRECTORY);
    walk(directory.get());
  }

 private:
  void walk(int directory_fd) {
    for (const std::string& name : sys::list_directory(directory_fd, ".")) {
      const auto info = sys::stat_at(directory_fd, name, AT_SYMLINK_NOFOLLOW);
      if (!info || info->st_dev != device_) continue;
      change(directory_fd, name, *info, AT_SYMLINK_NOFOLLOW);
      if (!S_ISDIR(info->st_mode)) continue;
      const sys::UniqueFd child = sys::find_at(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (child) walk(child.get());
    }
  }

  void change(int fd, const std::string& name, const struct stat& info, int flags) const {
    if (info.st_uid == uid_ && info.st_gid == gid_) return;
    if (::fchownat(fd, name.c_str(), uid_, gid_, flags) == 0 || errno == ENOENT) return;
    throw_errno("changing the owner", name.empty() ? "" : " of ", name);
  }

  uid_t uid_;
  gid_t gid_;
  dev_t device_ = 0;
};

}  // namespace

void give_tree(int fd, uid_t uid, gid_t gid) {
  Giver(uid, gid).give(fd);
}

}  // namespace knarr::storage
