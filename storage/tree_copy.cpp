// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/inode_copy.h"

namespace knarr::storage {

namespace {

// One thing to copy: an entry of a directory, and the name it gets in another one.
struct Entry {
  int source_fd;
  const std::string& name;
  int target_fd;
  const std::string& new_name;
  const std::string& path;  // below the top of the tree, beginning with "/": for messages and hard links
  struct stat info = {};
};

class TreeCopier {
 public:
  explicit TreeCopier(const TreeCopyOptions& options) : options_(options) {}

  void copy_directory(int source_fd, int target_fd, const std::string& path) {
    struct stat info {};
    if (::fstat(source_fd, &info) < 0) throw_errno("reading ", path);
    if (options_.apply_whiteouts && is_opaque(source_fd)) clear(target_fd);
    for (const std::string& name : sys::list_directory(source_fd, ".")) {
      if (path.empty() && options_.leave_out.contains(name)) continue;
      copy({.source_fd = source_fd,
            .name = name,
            .target_fd = target_fd,
            .new_name = name,
            .path = path + "/" + name});
    }
    set_attributes_of(source_fd, target_fd, info, path);
  }

  void copy(Entry entry) {
    if (::fstatat(entry.source_fd, entry.name.c_str(), &entry.info, AT_SYMLINK_NOFOLLOW) < 0) {
      throw_errno("reading ", entry.path);
    }
    const struct stat& info = entry.info;
    const bool replace = options_.apply_whiteouts || options_.replace_existing;
    const bool replace_other_kind =
        options_.apply_whiteouts || (options_.replace_existing && options_.replace_other_kinds);
    if (S_ISDIR(info.st_mode)) return copy_subdirectory(entry, replace_other_kind);
    if (replace && may_replace(entry)) sys::remove_tree(entry.target_fd, entry.new_name);
    if (is_whiteout(info) || S_ISSOCK(info.st_mode) || S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) return;
    if (info.st_nlink > 1 && link_known(entry)) return;
    if (S_ISREG(info.st_mode)) {
      copy_file(entry);
    } else if (S_ISLNK(info.st_mode)) {
      copy_link(entry);
    } else if (S_ISFIFO(info.st_mode)) {
      copy_fifo(entry);
    }
    if (info.st_nlink > 1) known_[{info.st_dev, info.st_ino}] = entry.path;
  }

 private:
  void clear(int directory_fd) {
    for (const std::string& name : sys::list_directory(directory_fd, "."))
      sys::remove_tree(directory_fd, name);
  }

  // A layer replaces whatever lies below it; a copy for the user never deletes a directory of theirs.
  bool may_replace(const Entry& entry) {
    const auto existing = sys::stat_at(entry.target_fd, entry.new_name, AT_SYMLINK_NOFOLLOW);
    if (!existing) return false;
    if (S_ISDIR(existing->st_mode) && !options_.apply_whiteouts && !options_.replace_other_kinds) {
      throw Conflict(concat("cannot replace directory ", entry.path, " by a file"));
    }
    return true;
  }

  void copy_subdirectory(const Entry& entry, bool replace) {
    if (::mkdirat(entry.target_fd, entry.new_name.c_str(), 0700) < 0) {
      if (errno != EEXIST) throw_errno("making directory ", entry.path);
      const auto existing = sys::stat_at(entry.target_fd, entry.new_name, AT_SYMLINK_NOFOLLOW);
      if (existing && !S_ISDIR(existing->st_mode)) {
        if (!replace) throw Conflict(concat("cannot replace file ", entry.path, " by a directory"));
        sys::remove_tree(entry.target_fd, entry.new_name);
        if (::mkdirat(entry.target_fd, entry.new_name.c_str(), 0700) < 0)
          throw_errno("making directory ", entry.path);
      }
    }
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const sys::UniqueFd source = sys::open_at(entry.source_fd, entry.name, flags);
    const sys::UniqueFd target = sys::open_at(entry.target_fd, entry.new_name, flags);
    if (depth_ == max_depth)
      throw Error(concat("copying ", entry.path, ": more than ", max_depth, " directories deep"));
    ++depth_;
    const int outer = std::exchange(target_root_, target_root_ < 0 ? entry.target_fd : target_root_);
    copy_directory(source.get(), target.get(), entry.path);
    target_root_ = outer;
    --depth_;
  }

  // A further name of a file that was copied already.
  bool link_known(const Entry& entry) {
    const auto known = known_.find({entry.info.st_dev, entry.info.st_ino});
    if (known == known_.end()) return false;
    const int root = target_root_ < 0 ? entry.target_fd : target_root_;
    if (::linkat(root, known->second.c_str() + 1, entry.target_fd, entry.new_name.c_str(), 0) < 0) {
      throw_errno("linking ", entry.path);
    }
    return true;
  }

  void copy_file(const Entry& entry) {
    // O_NONBLOCK: somebody may have put a FIFO in the file's place since it was looked at.
    const sys::UniqueFd source =
        sys::open_at(entry.source_fd, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const sys::UniqueFd target =
        sys::open_at(entry.target_fd, entry.new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    copy_content(source.get(), target.get(), entry.path);
    set_attributes_of(source.get(), target.get(), entry.info, entry.path);
  }

  void copy_link(const Entry& entry) {
    const auto target = sys::read_link(entry.source_fd, entry.name);
    if (!target || ::symlinkat(target->c_str(), entry.target_fd, entry.new_name.c_str()) < 0) {
      throw_errno("making symbolic link ", entry.path);
    }
    set_attributes_at(entry);
  }

  void copy_fifo(const Entry& entry) {
    if (::mkfifoat(entry.target_fd, entry.new_name.c_str(), 0600) < 0)
      throw_errno("making FIFO ", entry.path);
    set_attributes_at(entry);
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
    xattrs_.copy(source, target, path);
    if (::fchmod(target, mode_of(info)) < 0) throw_errno("setting the mode of ", path);
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(target, times) < 0) throw_errno("setting the times of ", path);
  }

  mode_t mode_of(const struct stat& info) const {
    return info.st_mode & (options_.keep_set_ids ? 07777 : 01777);
  }

  // Of what cannot be opened: links and FIFOs. Never through a link: a container may have put one in its
  // place.
  void set_attributes_at(const Entry& entry) {
    const char* name = entry.new_name.c_str();
    set_owner(entry.target_fd, entry.new_name, entry.info, AT_SYMLINK_NOFOLLOW, entry.path);
    if (!S_ISLNK(entry.info.st_mode) &&
        ::fchmodat(entry.target_fd, name, mode_of(entry.info), AT_SYMLINK_NOFOLLOW) < 0) {
      throw_errno("setting the mode of ", entry.path);
    }
    const timespec times[2] = {entry.info.st_atim, entry.info.st_mtim};
    if (::utimensat(entry.target_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
      throw_errno("setting the times of ", entry.path);
  }

  static constexpr int max_depth = 512;
  const TreeCopyOptions& options_;
  XattrCopier xattrs_;
  std::map<std::pair<dev_t, ino_t>, std::string> known_;  // files with several names, by path below the top
  int target_root_ = -1;
  int depth_ = 0;
};

}  // namespace

void copy_tree(int source_fd, int target_fd, const TreeCopyOptions& options) {
  TreeCopier(options).copy_directory(source_fd, target_fd, "");
}

void copy_entry(int source_directory_fd, const std::string& name, int target_directory_fd,
                const std::string& new_name, const TreeCopyOptions& options) {
  TreeCopier(options).copy({.source_fd = source_directory_fd,
                            .name = name,
                            .target_fd = target_directory_fd,
                            .new_name = new_name,
                            .path = "/" + new_name});
}

}  // namespace knarr::storage
