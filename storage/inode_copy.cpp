// SPDX-License-Identifier: Apache-2.0
#include "storage/inode_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {

namespace {

constexpr const char* overlay_prefixes[] = {"user.overlay.", "trusted.overlay."};

bool is_overlay_attribute(std::string_view name) {
  for (const std::string_view prefix : overlay_prefixes) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

bool is_opaque(int directory_fd) {
  char value = 0;
  for (const char* name : {"user.overlay.opaque", "trusted.overlay.opaque"}) {
    if (::fgetxattr(directory_fd, name, &value, 1) == 1 && value == 'y') return true;
  }
  return false;
}

bool is_whiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

void copy_content(int source_fd, int target_fd, const std::string& path) {
  if (::ioctl(target_fd, FICLONE, source_fd) == 0) return;
  for (;;) {
    const ssize_t copied = ::copy_file_range(source_fd, nullptr, target_fd, nullptr, 1u << 30, 0);
    if (copied == 0) return;
    if (copied > 0) continue;
    if (errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
      throw_errno("copying ", path);
    break;
  }
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const ssize_t got = ::read(source_fd, buffer.data(), buffer.size());
    if (got == 0) return;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("reading ", path);
    sys::write_all(target_fd, {buffer.data(), static_cast<std::size_t>(got)}, path);
  }
}

void XattrCopier::copy(int source_fd, int target_fd, const std::string& path) {
  const ssize_t size = ::flistxattr(source_fd, names_.data(), names_.size());
  for (const char* name = names_.data(); size > 0 && name < names_.data() + size;
       name += std::string_view(name).size() + 1) {
    if (is_overlay_attribute(name)) continue;
    const ssize_t length = ::fgetxattr(source_fd, name, value_.data(), value_.size());
    // What this namespace may not write (security.selinux, trusted.*) it does not carry over.
    if (length >= 0 && ::fsetxattr(target_fd, name, value_.data(), static_cast<std::size_t>(length), 0) < 0 &&
        errno != EPERM && errno != EOPNOTSUPP) {
      throw_errno("setting attribute ", name, " of ", path);
    }
  }
}

}  // namespace knarr::storage
