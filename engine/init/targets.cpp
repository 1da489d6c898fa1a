// SPDX-License-Identifier: Apache-2.0
#include "engine/init/targets.h"

#include <cstring>

namespace knarr::engine::init {
namespace {

// The entry itself and what it is; never what a link leads to.
Fd open_entry(int parent_fd, const Name& name, struct stat& status) {
  Fd entry{::openat(parent_fd, name.text, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (entry && ::fstat(entry.get(), &status) < 0) entry.reset();
  return entry;
}

}  // namespace

int Targets::open_parent(const char* path, Name& name) {
  std::size_t end = std::strlen(path);
  while (end > 0 && path[end - 1] == '/') --end;
  std::size_t start = end;
  while (start > 0 && path[start - 1] != '/') --start;
  const std::size_t length = end - start;
  if (length >= sizeof name.text || start >= sizeof parent_path_) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(name.text, path + start, length);
  name.text[length] = '\0';
  if (length == 0 || std::strcmp(name.text, ".") == 0 || std::strcmp(name.text, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  const bool is_open = parent_ && std::strncmp(parent_path_, path, start) == 0 && parent_path_[start] == '\0';
  if (is_open) return parent_.get();
  std::memcpy(parent_path_, path, start);
  parent_path_[start] = '\0';
  parent_ = Fd{make_directory_in_root(root_fd_, start == 0 ? "/" : parent_path_, 0755)};
  return parent_.get();
}

// What is mounted on an entry of the open directory cannot lie over that directory, unless the entry is a
// link: those are left to who follows them from the root on.
int Targets::make_directory(const char* path, mode_t mode, Leaf leaf, bool* made) {
  Name name;
  const int parent = open_parent(path, name);
  if (parent < 0 && errno != EINVAL) return -1;
  const bool is_new = parent >= 0 && ::mkdirat(parent, name.text, mode) == 0;
  if (parent >= 0 && !is_new && errno != EEXIST) return -1;
  struct stat status {};
  Fd entry = parent >= 0 ? open_entry(parent, name, status) : Fd{};
  if (!entry || S_ISLNK(status.st_mode)) {
    forget();
    return make_directory_in_root(root_fd_, path, mode, leaf, made);
  }
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  if (made != nullptr) *made = is_new;
  return entry.release();
}

int Targets::make_file(const char* path, mode_t mode) {
  Name name;
  const int parent = open_parent(path, name);
  if (parent < 0 && errno != EINVAL) return -1;
  if (parent >= 0) {
    const int file = ::openat(parent, name.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file >= 0 || errno != EEXIST) return file;
  }
  struct stat status {};
  Fd entry = parent >= 0 ? open_entry(parent, name, status) : Fd{};
  if (!entry || S_ISLNK(status.st_mode)) {
    forget();
    return make_file_in_root(root_fd_, path, mode);
  }
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return -1;
  }
  return entry.release();
}

}  // namespace knarr::engine::init
