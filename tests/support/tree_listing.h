// SPDX-License-Identifier: Apache-2.0
// A tree as text, a line for each name in sorted order, for tests to compare:
//
//   d 0755 0:0 etc                    directory (" opaque" when it hides lower layers)
//   f 4755 0:0 etc/x "content"        regular file
//   l 0:0 lib -> usr/lib              symlink
//   w etc/gone                        whiteout
//   p 0644 0:0 fifo    c 0644 0:0 null 1:3    b ...
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "rootless/sys/file.h"

namespace knarr::test {

inline bool is_opaque(int fd) {
  char value[2] = {};
  for (const char* name : {"user.overlay.opaque", "trusted.overlay.opaque"}) {
    if (::fgetxattr(fd, name, value, sizeof value) == 1 && value[0] == 'y') return true;
  }
  return false;
}

inline std::string describe(int dir_fd, const std::string& name, const std::string& path,
                            const struct stat& info) {
  char head[64];
  std::snprintf(head, sizeof head, "%04o %u:%u ", info.st_mode & 07777u, info.st_uid, info.st_gid);
  const std::string owner = std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid) + " ";
  const std::string device =
      " " + std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev));
  if (S_ISLNK(info.st_mode)) return "l " + owner + path + " -> " + sys::read_link(dir_fd, name).value_or("?");
  if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return "w " + path;
  if (S_ISCHR(info.st_mode)) return "c " + (head + path) + device;
  if (S_ISBLK(info.st_mode)) return "b " + (head + path) + device;
  if (S_ISFIFO(info.st_mode)) return "p " + (head + path);
  const sys::UniqueFd fd = sys::open_at(dir_fd, name, O_RDONLY | O_NOFOLLOW);
  if (S_ISDIR(info.st_mode)) return "d " + (head + path) + (is_opaque(fd.get()) ? " opaque" : "");
  std::string content = sys::read_all(fd.get(), path);
  if (content.size() > 40) content = std::to_string(content.size()) + " bytes";
  return "f " + (head + path) + " \"" + content + "\"";
}

inline void list_tree(int dir_fd, const std::string& prefix, std::string& text) {
  std::vector<std::string> names = sys::list_directory(dir_fd, ".");
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const auto info = sys::stat_at(dir_fd, name, AT_SYMLINK_NOFOLLOW);
    text += describe(dir_fd, name, prefix + name, *info) + "\n";
    if (!S_ISDIR(info->st_mode)) continue;
    list_tree(sys::open_at(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get(), prefix + name + "/",
              text);
  }
}

// What is below a directory, not the directory itself.
inline std::string list_tree(const std::string& path) {
  std::string text;
  list_tree(sys::open_directory(AT_FDCWD, path).get(), "", text);
  return text;
}

}  // namespace knarr::test
