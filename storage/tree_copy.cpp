// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

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

class TreeCopier {
 public:
  explicit TreeCopier(const TreeCopyOptions& options) : options_(options) {}

  void copy_directory(int source_fd, int target_fd, const std::string& path) {
    struct stat info {};
    if (::fstat(source_fd, &info) < 0) throw_errno("reading ", path);
    if (options_.apply_whiteouts && is_opaque(source_fd)) clear(target_fd);
    for (const std::string& name : sys::list_directory(source_fd, "."))
      copy_entry(source_fd, target_fd, name, path + "/" + name);
    set_attributes_of(source_fd, target_fd, info, path);
  }

 private:
  void clear(int directory_fd) {
    for (const std::string& name : sys::list_directory(directory_fd, "."))
      sys::remove_tree(directory_fd, name);
  }

  void copy_entry(int source_fd, int target_fd, const std::string& name, const std::string& path) {
    struct stat info {};
    if (::fstatat(source_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("reading ", path);
    if (options_.apply_whiteouts && (is_whiteout(info) || !S_ISDIR(info.st_mode)))
      sys::remove_tree(target_fd, name);
    if (is_whiteout(info) || S_ISSOCK(info.st_mode) || S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) return;
    if (S_ISDIR(info.st_mode)) return copy_subdirectory(source_fd, target_fd, name, path);
    if (info.st_nlink > 1 && link_known(info, target_fd, name, path)) return;
    if (S_ISREG(info.st_mode)) {
      copy_file(source_fd, target_fd, name, info, path);
    } else if (S_ISLNK(info.st_mode)) {
      copy_link(source_fd, target_fd, name, info, path);
    } else if (S_ISFIFO(info.st_mode)) {
      if (::mkfifoat(target_fd, name.c_str(), 0600) < 0) throw_errno("making FIFO ", path);
      set_attributes_at(target_fd, name, info, path);
    }
    if (info.st_nlink > 1) known_[{info.st_dev, info.st_ino}] = path;
  }

  void copy_subdirectory(int source_fd, int target_fd, const std::string& name, const std::string& path) {
    if (::mkdirat(target_fd, name.c_str(), 0700) < 0) {
      if (errno != EEXIST) throw_errno("making directory ", path);
      const auto existing = sys::stat_at(target_fd, name, AT_SYMLINK_NOFOLLOW);
      if (!existing ||
          !S_ISDIR(existing->st_mode)) {  // an upper layer's directory replaces a lower one's file
        sys::remove_tree(target_fd, name);
        if (::mkdirat(target_fd, name.c_str(), 0700) < 0) throw_errno("making directory ", path);
      }
    }
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const sys::UniqueFd source = sys::open_at(source_fd, name, flags);
    const sys::UniqueFd target = sys::open_at(target_fd, name, flags);
    if (depth_ == max_depth)
      throw Error(concat("copying ", path, ": more than ", max_depth, " directories deep"));
    ++depth_;
    const int outer = std::exchange(target_root_, target_root_ < 0 ? target_fd : target_root_);
    copy_directory(source.get(), target.get(), path);
    target_root_ = outer;
    --depth_;
  }

  // A further name of a file that was copied already.
  bool link_known(const struct stat& info, int target_fd, const std::string& name, const std::string& path) {
    const auto known = known_.find({info.st_dev, info.st_ino});
    if (known == known_.end()) return false;
    const int root = target_root_ < 0 ? target_fd : target_root_;
    // Paths begin with "/": relative to the top of the tree.
    if (::linkat(root, known->second.c_str() + 1, target_fd, name.c_str(), 0) < 0)
      throw_errno("linking ", path);
    return true;
  }

  void copy_file(int source_fd, int target_fd, const std::string& name, const struct stat& info,
                 const std::string& path) {
    const sys::UniqueFd source = sys::open_at(source_fd, name, O_RDONLY | O_NOFOLLOW);
    const sys::UniqueFd target =
        sys::open_at(target_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    copy_content(source.get(), target.get(), path);
    set_attributes_of(source.get(), target.get(), info, path);
  }

  void copy_content(int source, int target, const std::string& path) {
    if (::ioctl(target, FICLONE, source) == 0) return;
    for (;;) {
      const ssize_t copied = ::copy_file_range(source, nullptr, target, nullptr, 1u << 30, 0);
      if (copied == 0) return;
      if (copied > 0) continue;
      if (errno == EINTR) continue;
      if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        throw_errno("copying ", path);
      break;
    }
    std::vector<char> buffer(256 * 1024);
    for (;;) {
      const ssize_t got = ::read(source, buffer.data(), buffer.size());
      if (got == 0) return;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("reading ", path);
      sys::write_all(target, {buffer.data(), static_cast<std::size_t>(got)}, path);
    }
  }

  void copy_link(int source_fd, int target_fd, const std::string& name, const struct stat& info,
                 const std::string& path) {
    const auto target = sys::read_link(source_fd, name);
    if (!target || ::symlinkat(target->c_str(), target_fd, name.c_str()) < 0)
      throw_errno("making symbolic link ", path);
    set_attributes_at(target_fd, name, info, path);
  }

  void copy_xattrs(int source, int target, const std::string& path) {
    const ssize_t size = ::flistxattr(source, names_.data(), names_.size());
    for (const char* name = names_.data(); size > 0 && name < names_.data() + size;
         name += std::string_view(name).size() + 1) {
      if (is_overlay_attribute(name)) continue;
      const ssize_t length = ::fgetxattr(source, name, value_.data(), value_.size());
      // What this namespace may not write (security.selinux, trusted.*) it does not carry over.
      if (length >= 0 && ::fsetxattr(target, name, value_.data(), static_cast<std::size_t>(length), 0) < 0 &&
          errno != EPERM && errno != EOPNOTSUPP) {
        throw_errno("setting attribute ", name, " of ", path);
      }
    }
  }

  // Owner, then xattrs, then mode: chown takes file capabilities and set-uid bits away.
  void set_owner(int fd, const std::string& name, const struct stat& info, int flags,
                 const std::string& path) {
    const uid_t uid = options_.map_uid ? options_.map_uid(info.st_uid) : info.st_uid;
    const gid_t gid = options_.map_gid ? options_.map_gid(info.st_gid) : info.st_gid;
    if (::fchownat(fd, name.c_str(), uid, gid, flags) < 0) throw_errno("setting the owner of ", path);
  }

  void set_attributes_of(int source, int target, const struct stat& info, const std::string& path) {
    set_owner(target, "", info, AT_EMPTY_PATH, path);
    copy_xattrs(source, target, path);
    if (::fchmod(target, info.st_mode & 07777) < 0) throw_errno("setting the mode of ", path);
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(target, times) < 0) throw_errno("setting the times of ", path);
  }

  // Of what cannot be opened: links and FIFOs.
  void set_attributes_at(int directory_fd, const std::string& name, const struct stat& info,
                         const std::string& path) {
    set_owner(directory_fd, name, info, AT_SYMLINK_NOFOLLOW, path);
    if (!S_ISLNK(info.st_mode) && ::fchmodat(directory_fd, name.c_str(), info.st_mode & 07777, 0) < 0) {
      throw_errno("setting the mode of ", path);
    }
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::utimensat(directory_fd, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
      throw_errno("setting the times of ", path);
  }

  static constexpr int max_depth = 512;
  const TreeCopyOptions& options_;
  std::vector<char> names_ = std::vector<char>(64 * 1024), value_ = std::vector<char>(64 * 1024);
  std::map<std::pair<dev_t, ino_t>, std::string> known_;  // files with several names, by path below the top
  int target_root_ = -1;
  int depth_ = 0;
};

}  // namespace

void copy_tree(int source_fd, int target_fd, const TreeCopyOptions& options) {
  TreeCopier(options).copy_directory(source_fd, target_fd, "");
}

}  // namespace knarr::storage
