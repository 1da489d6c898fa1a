// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/in_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"

namespace knarr::sys {

UniqueFd find_in_root(int root_fd, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // A container that renames without end must not keep us for ever.
  constexpr int attempts = 64;
  for (int attempt = 1;; ++attempt) {
    UniqueFd found(static_cast<int>(::syscall(SYS_openat2, root_fd, path.c_str(), &how, sizeof(how))));
    if (found) return found;
    // EAGAIN: something was renamed during the look-up, and the kernel cannot tell whether ".." left the
    // root.
    if ((errno == EAGAIN || errno == EINTR) && attempt < attempts) continue;
    if (errno == ENOENT || errno == ENOTDIR) return {};
    throw_errno("opening ", path, " in the container");
  }
}

UniqueFd open_in_root(int root_fd, const std::string& path, int flags) {
  UniqueFd found = find_in_root(root_fd, path, flags);
  if (!found) throw NotFound(concat("\"", path, "\" could not be found in the container"));
  return found;
}

}  // namespace knarr::sys
