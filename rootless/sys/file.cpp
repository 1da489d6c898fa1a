// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/file.h"

#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "rootless/sys/error.h"

namespace knarr::sys {
namespace {

bool is_missing(int code) {
  return code == ENOENT || code == ENOTDIR;
}

UniqueFd try_open(int dir_fd, const std::string& path, int flags, mode_t mode = 0) {
  int fd;
  do {
    fd = ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return UniqueFd(fd);
}

struct SplitPath {
  std::string parent;  // "." for a plain name
  std::string leaf;
};

SplitPath split_path(const std::string& path) {
  const std::size_t last = path.find_last_not_of('/');
  const std::string trimmed = last == std::string::npos ? path : path.substr(0, last + 1);
  const std::size_t slash = trimmed.rfind('/');
  if (slash == std::string::npos) return {".", trimmed};
  return {slash == 0 ? "/" : trimmed.substr(0, slash), trimmed.substr(slash + 1)};
}

}  // namespace

UniqueFd open_at(int dir_fd, const std::string& path, int flags, mode_t mode) {
  UniqueFd fd = try_open(dir_fd, path, flags, mode);
  if (!fd) throw_errno("opening ", path);
  return fd;
}

UniqueFd find_at(int dir_fd, const std::string& path, int flags) {
  UniqueFd fd = try_open(dir_fd, path, flags);
  if (!fd && !is_missing(errno)) throw_errno("opening ", path);
  return fd;
}

UniqueFd open_directory(int dir_fd, const std::string& path) {
  return open_at(dir_fd, path, O_RDONLY | O_DIRECTORY);
}

// ---- reading and writing ----

std::string read_all(int fd, std::string_view what, std::size_t max_bytes) {
  struct stat info;
  // A file in /proc has size 0 whatever it holds, so the size is only a hint.
  std::size_t room = 4096;
  if (::fstat(fd, &info) == 0 && info.st_size > 0) room = static_cast<std::size_t>(info.st_size) + 1;
  std::string content(std::min(room, max_bytes + 1), '\0');
  std::size_t length = 0;
  for (;;) {
    const ssize_t got = ::read(fd, content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("reading ", what);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
    if (length > max_bytes) throw InvalidArgument(concat(what, " is larger than ", max_bytes, " bytes"));
    if (length == content.size()) content.resize(std::min(content.size() * 2, max_bytes + 1));
  }
  content.resize(length);
  return content;
}

std::string read_file(int dir_fd, const std::string& path, std::size_t max_bytes) {
  return read_all(open_at(dir_fd, path, O_RDONLY).get(), path, max_bytes);
}

std::optional<std::string> read_file_if_exists(int dir_fd, const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd = find_at(dir_fd, path, O_RDONLY);
  if (!fd) return std::nullopt;
  return read_all(fd.get(), path, max_bytes);
}

void write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("writing ", what);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// ---- whole files ----

namespace {

void fill(int fd, const std::string& name, std::string_view content, mode_t mode, Durability durability) {
  // The mode is exact whatever the caller's umask: files meant for a container's users must not depend on it.
  if (::fchmod(fd, mode) < 0) throw_errno("setting the mode of ", name);
  write_all(fd, content, name);
  if (durability == Durability::synced && ::fdatasync(fd) < 0) throw_errno("syncing ", name);
}

void sync_directory(int dir_fd, const std::string& path) {
  if (::fsync(open_directory(dir_fd, path).get()) < 0) throw_errno("syncing directory ", path);
}

// A file beside its final place under a name nobody else uses; gone again unless keep() was called.
class PrivateFile {
 public:
  PrivateFile(int dir_fd, const std::string& directory) : dir_fd_(dir_fd) {
    do {
      path_ = concat(directory, "/.new-", random_name());
      fd_ = try_open(dir_fd, path_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    } while (!fd_ && errno == EEXIST);
    if (!fd_) throw_errno("creating a file in ", directory);
  }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;
  ~PrivateFile() {
    if (!path_.empty()) ::unlinkat(dir_fd_, path_.c_str(), 0);
  }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  static std::string random_name() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) throw_errno("getting random bytes");
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
  }

  int dir_fd_;
  std::string path_;
  UniqueFd fd_;
};

[[noreturn]] void throw_creation_error(int code, const std::string& name) {
  if (code == EEXIST) throw Conflict(concat(name, " exists already"));
  throw_sys_error(code, concat("creating ", name));
}

// Gives a private file its final name unless that is taken; returns 0 or an errno.
int rename_to_new(int dir_fd, PrivateFile& file, const std::string& name) {
  if (::renameat2(dir_fd, file.path().c_str(), dir_fd, name.c_str(), RENAME_NOREPLACE) == 0) {
    file.keep();
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // Some file systems (NFS) know no RENAME_NOREPLACE; a hard link refuses an existing name too.
  return ::linkat(dir_fd, file.path().c_str(), dir_fd, name.c_str(), 0) == 0 ? 0 : errno;
}

// False when this file system has no O_TMPFILE or there is no /proc to link its file from.
bool create_from_unnamed(int dir_fd, const std::string& directory, const std::string& name,
                         std::string_view content, mode_t mode, Durability durability) {
  const UniqueFd fd = try_open(dir_fd, directory, O_WRONLY | O_TMPFILE, 0600);
  if (!fd) {
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return false;
    throw_errno("creating ", name);
  }
  fill(fd.get(), name, content, mode, durability);
  const std::string link = concat("/proc/self/fd/", fd.get());
  if (::linkat(AT_FDCWD, link.c_str(), dir_fd, name.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == ENOENT || errno == EXDEV) return false;
  throw_creation_error(errno, name);
}

}  // namespace

void create_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode,
                 Durability durability) {
  const std::string directory = split_path(name).parent;
  if (!create_from_unnamed(dir_fd, directory, name, content, mode, durability)) {
    PrivateFile file(dir_fd, directory);
    fill(file.fd(), name, content, mode, durability);
    if (const int code = rename_to_new(dir_fd, file, name)) throw_creation_error(code, name);
  }
  if (durability == Durability::synced) sync_directory(dir_fd, directory);
}

void replace_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode,
                  Durability durability) {
  const std::string directory = split_path(name).parent;
  PrivateFile file(dir_fd, directory);
  fill(file.fd(), name, content, mode, durability);
  if (::renameat(dir_fd, file.path().c_str(), dir_fd, name.c_str()) < 0) throw_errno("replacing ", name);
  file.keep();
  if (durability == Durability::synced) sync_directory(dir_fd, directory);
}

// ---- directories ----

namespace {

// mkdirat(2) with exactly this mode. Returns 0 or an errno.
int make_exact_directory(int dir_fd, const std::string& path, mode_t mode) {
  if (::mkdirat(dir_fd, path.c_str(), mode) < 0) return errno;
  struct stat info;
  // Gone again is as if another one had been in the way, and went.
  if (::fstatat(dir_fd, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? EEXIST : errno;
  if ((info.st_mode & 0777) == (mode & 0777)) return 0;
  // The umask took bits away. By descriptor: the name could be a link by now.
  const UniqueFd made = try_open(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return made && ::fchmod(made.get(), mode) == 0 ? 0 : errno;
}

// What was in the way a moment ago may be gone: false.
bool require_directory(int dir_fd, const std::string& path) {
  const std::optional<struct stat> info = stat_at(dir_fd, path);
  if (!info && !stat_at(dir_fd, path, AT_SYMLINK_NOFOLLOW)) return false;
  if (!info || !S_ISDIR(info->st_mode)) throw_sys_error(ENOTDIR, concat("creating directory ", path));
  return true;
}

}  // namespace

void make_directory(int dir_fd, const std::string& name, mode_t mode) {
  for (;;) {
    const int code = make_exact_directory(dir_fd, name, mode);
    if (code == 0 || (code == EEXIST && require_directory(dir_fd, name))) return;
    if (code != EEXIST) throw_sys_error(code, concat("creating directory ", name));
  }
}

void make_directories(int dir_fd, const std::string& path, mode_t mode) {
  // Most often only the leaf is missing, or nothing: look from the end.
  std::vector<std::string> missing;
  std::string next = path;
  for (;;) {
    const int code = make_exact_directory(dir_fd, next, mode);
    if (code == EEXIST && !require_directory(dir_fd, next)) continue;
    if (code == EEXIST || code == 0) {
      if (missing.empty()) return;
      next = std::move(missing.back());
      missing.pop_back();
      continue;
    }
    std::string parent = split_path(next).parent;
    if (code != ENOENT || parent == "." || parent == "/" || parent == next) {
      throw_sys_error(code, concat("creating directory ", next));
    }
    missing.push_back(std::move(next));
    next = std::move(parent);
  }
}

namespace {

struct KernelDirent {  // struct linux_dirent64, getdents64(2)
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

bool is_dot_name(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Calls visit(name, d_type) for each entry. Returns 0 or an errno.
template <typename Visit>
int visit_entries(int fd, Visit&& visit) {
  constexpr std::size_t buffer_size = 32 * 1024;
  const auto buffer = std::make_unique_for_overwrite<char[]>(buffer_size);
  for (;;) {
    const long got = ::syscall(SYS_getdents64, fd, buffer.get(), buffer_size);
    if (got < 0) return errno;
    if (got == 0) return 0;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const KernelDirent*>(buffer.get() + at);
      at += entry->length;
      if (!is_dot_name(entry->name)) visit(entry->name, entry->type);
    }
  }
}

}  // namespace

std::vector<std::string> list_directory(int dir_fd, const std::string& path) {
  std::vector<std::string> names;
  const UniqueFd fd = find_at(dir_fd, path, O_RDONLY | O_DIRECTORY);
  if (!fd) return names;
  const int code = visit_entries(fd.get(), [&](const char* name, int) { names.emplace_back(name); });
  // ENOENT: it was removed between the two calls.
  if (code != 0 && code != ENOENT) throw_sys_error(code, concat("listing ", path));
  return names;
}

// ---- removing ----

bool unlink_if_exists(int dir_fd, const std::string& name, int flags) {
  if (::unlinkat(dir_fd, name.c_str(), flags) == 0) return true;
  if (is_missing(errno)) return false;
  throw_errno("removing ", name);
}

namespace {

// Removes a tree depth first without recursion: a container can nest directories deeper than a stack or a
// descriptor table allows.
class TreeRemover {
 public:
  TreeRemover(int parent_fd, std::string leaf) : parent_fd_(parent_fd), leaf_(std::move(leaf)) {}

  void run() {
    enter(parent_fd_, leaf_);
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (!level.subdirectories.empty()) {
        const std::string name = std::move(level.subdirectories.back());
        level.subdirectories.pop_back();
        enter(level.fd.get(), name);
      } else {
        leave();
      }
    }
    if (first_failure_ != 0) throw_sys_error(first_failure_, concat("removing ", failed_path_));
  }

 private:
  struct Level {
    UniqueFd fd;  // empty for a level far above: only the nearest ones stay open
    dev_t device = 0;
    ino_t inode = 0;
    std::string name;
    std::vector<std::string> subdirectories;  // what is left to do here
    bool failed = false;                      // something below stays, so rmdir would only repeat the news
    int scans = 0;
  };
  static constexpr std::size_t open_levels = 32;
  // Entries that appear while we remove are somebody else's work; give up rather than race for ever.
  static constexpr int max_scans = 4;

  void fail(int code, const std::string& name) {
    for (Level& level : levels_) level.failed = true;
    if (first_failure_ != 0) return;
    first_failure_ = code;
    for (const Level& level : levels_) failed_path_ += level.name + '/';
    failed_path_ += name;
  }

  // Opens a directory, never through a link and never across a mount point: behind one lie files that are
  // not ours to remove.
  static UniqueFd open_beneath(int dir_fd, const std::string& name) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    const long fd = ::syscall(SYS_openat2, dir_fd, name.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // Seccomp filters older than openat2 refuse it with ENOSYS or EPERM.
    if (errno != ENOSYS && errno != EPERM && errno != EAGAIN) return {};
    UniqueFd plain = try_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat parent, child;
    if (!plain || ::fstat(dir_fd, &parent) < 0 || ::fstat(plain.get(), &child) < 0) return {};
    if (parent.st_dev == child.st_dev) return plain;
    errno = EXDEV;
    return {};
  }

  static UniqueFd open_opening_up(int dir_fd, const std::string& name) {
    UniqueFd fd = open_beneath(dir_fd, name);
    if (fd || errno != EACCES) return fd;
    // Overlay leaves work/work with mode 000.
    if (::fchmodat(dir_fd, name.c_str(), 0700, AT_SYMLINK_NOFOLLOW) < 0) {
      errno = EACCES;
      return {};
    }
    return open_beneath(dir_fd, name);
  }

  // `name` below dir_fd: a file is removed at once, a directory becomes the deepest level.
  void enter(int dir_fd, const std::string& name) {
    // Most names in the list are directories, many of them empty; only the top can be a file.
    if (::unlinkat(dir_fd, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return;
    if (errno == ENOTDIR) {
      if (::unlinkat(dir_fd, name.c_str(), 0) < 0 && errno != ENOENT) fail(errno, name);
      return;
    }
    Level level;
    level.fd = open_opening_up(dir_fd, name);
    struct stat info;
    if (!level.fd || ::fstat(level.fd.get(), &info) < 0) {
      if (errno != ENOENT) fail(errno == EXDEV ? EBUSY : errno, name);
      return;
    }
    // Without all three bits an owner cannot list, search or change it. A failure shows soon enough.
    if ((info.st_mode & S_IRWXU) != S_IRWXU) ::fchmod(level.fd.get(), 0700);
    level.device = info.st_dev;
    level.inode = info.st_ino;
    level.name = name;
    levels_.push_back(std::move(level));
    if (levels_.size() > open_levels) levels_[levels_.size() - 1 - open_levels].fd.reset();
    scan(levels_.back());
  }

  // Removes the files of a directory and lists its subdirectories.
  void scan(Level& level) {
    ++level.scans;
    const int fd = level.fd.get();
    ::lseek(fd, 0, SEEK_SET);
    const int code = visit_entries(fd, [&](const char* name, unsigned char type) {
      if (type == DT_DIR) {
        level.subdirectories.emplace_back(name);
      } else if (::unlinkat(fd, name, 0) < 0 && errno != ENOENT) {
        if (errno == EISDIR) {  // the file system told no type
          level.subdirectories.emplace_back(name);
        } else {
          fail(errno, name);
        }
      }
    });
    // ENOENT: somebody else removed the directory while it was being read, which is what we want.
    if (code != 0 && code != ENOENT) fail(code, "");
  }

  // The descriptor of the level above the deepest, opened again by ".." if need be and only if that still is
  // the directory we came from. Invalid (errno set) when it is not.
  int parent_of_deepest() {
    if (levels_.size() == 1) return parent_fd_;
    Level& parent = levels_[levels_.size() - 2];
    if (parent.fd) return parent.fd.get();
    UniqueFd fd = try_open(levels_.back().fd.get(), "..", O_RDONLY | O_DIRECTORY);
    struct stat info;
    if (!fd || ::fstat(fd.get(), &info) < 0) return -1;
    if (info.st_dev != parent.device || info.st_ino != parent.inode) {
      errno = ESTALE;
      return -1;
    }
    parent.fd = std::move(fd);
    return parent.fd.get();
  }

  void leave() {
    const int parent_fd = parent_of_deepest();
    if (parent_fd < 0) {
      // Somebody moves directories about under us: without the way back nothing above can be finished.
      const int code = errno;
      levels_.pop_back();
      fail(code, "");
      levels_.clear();
      return;
    }
    Level& level = levels_.back();
    if (!level.failed && ::unlinkat(parent_fd, level.name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
      if (errno == ENOTEMPTY && level.scans < max_scans) return scan(level);
      const int code = errno;
      const std::string name = level.name;
      levels_.pop_back();
      return fail(code, name);
    }
    levels_.pop_back();
  }

  const int parent_fd_;
  const std::string leaf_;
  std::vector<Level> levels_;
  int first_failure_ = 0;
  std::string failed_path_;
};

}  // namespace

void remove_tree(int dir_fd, const std::string& name) {
  const SplitPath split = split_path(name);
  if (split.leaf.empty() || is_dot_name(split.leaf.c_str())) {
    throw InvalidArgument(concat("removing \"", name, "\": it must end in a name"));
  }
  const UniqueFd parent = find_at(dir_fd, split.parent, O_RDONLY | O_DIRECTORY);
  if (parent) TreeRemover(parent.get(), split.leaf).run();
}

// ---- looking ----

std::optional<std::string> read_link(int dir_fd, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t length = ::readlinkat(dir_fd, name.c_str(), target, sizeof target);
  if (length >= 0) return std::string(target, static_cast<std::size_t>(length));
  if (is_missing(errno) || errno == EINVAL) return std::nullopt;
  throw_errno("reading link ", name);
}

std::optional<struct stat> stat_at(int dir_fd, const std::string& path, int flags) {
  struct stat info;
  if (::fstatat(dir_fd, path.c_str(), &info, flags) == 0) return info;
  if (is_missing(errno)) return std::nullopt;
  throw_errno("looking at ", path);
}

}  // namespace knarr::sys
