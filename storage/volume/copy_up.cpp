// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/copy_up.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/tree_copy.h"

namespace knarr::storage {

void copy_up(int tree_fd, const std::string& container_path, const std::string& target) {
  const sys::UniqueFd destination = sys::open_directory(AT_FDCWD, target);
  if (!sys::list_directory(destination.get(), ".").empty()) return;
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const sys::UniqueFd source(
      static_cast<int>(::syscall(SYS_openat2, tree_fd, container_path.c_str(), &how, sizeof(how))));
  if (!source) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_errno("opening ", container_path, " in the image");
  }
  copy_tree(source.get(), destination.get(), {});
}

}  // namespace knarr::storage
