// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tree_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "rootless/sys/error.h"
#include "storage/layer/entry_path.h"

namespace knarr::storage {
namespace {

bool means_missing(int code) {
  return code == ENOENT || code == ENOTDIR || code == ELOOP;
}

}  // namespace

int TreeFiles::open_parent(std::string_view path) {
  const std::string_view parent = parent_of(path);
  if (parent.empty()) return root_fd_;
  if (parent_fd_ && parent_ == parent) return parent_fd_.get();
  sys::UniqueFd directory;
  for (std::string_view rest = parent; !rest.empty();) {
    const std::string component(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(component.size() + 1, rest.size()));
    const int from = directory ? directory.get() : root_fd_;
    sys::UniqueFd next(::openat(from, component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next && !means_missing(errno)) throw_errno("opening directory ", component);
    if (!next) return -1;
    directory = std::move(next);
  }
  parent_fd_ = std::move(directory);
  parent_ = parent;
  return parent_fd_.get();
}

sys::UniqueFd TreeFiles::open_file(std::string_view path) {
  const int parent = open_parent(path);
  if (parent < 0) return {};
  const std::string leaf(leaf_of(path));
  // O_NONBLOCK: a FIFO in its place must not stop us.
  sys::UniqueFd file(
      ::openat(parent, leaf.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && !means_missing(errno) && errno != ENXIO && errno != ENODEV) throw_errno("opening ", leaf);
  struct stat info;
  if (!file || ::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode)) return {};
  return file;
}

}  // namespace knarr::storage
