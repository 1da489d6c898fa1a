// SPDX-License-Identifier: Apache-2.0
#include "engine/init/resolve.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <climits>
#include <cstring>

#include "engine/init/proc.h"

namespace knarr::engine::init {
namespace {

constexpr int max_depth = 128;   // directories between the root and what is looked for
constexpr int max_links = 40;    // as the kernel's own limit (path_resolution(7))
constexpr int max_retries = 64;  // of openat2, which answers EAGAIN when a rename crossed its way

enum class Missing { fail, make_directory, make_file };

// Resolves a path one component at a time. The directories on the way are kept open: ".." goes back to the
// one we came through, wherever it was moved meanwhile.
class Walk {
 public:
  Walk(int root_fd, Missing missing, Leaf leaf, mode_t mode)
      : root_fd_(root_fd), missing_(missing), leaf_(leaf), mode_(mode) {}
  ~Walk() { pop_to(0); }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  bool run(const char* path) {
    if (std::strlen(path) >= sizeof rest_) return failed(ENAMETOOLONG);
    std::strcpy(rest_, path);
    position_ = 0;
    while (next_component()) {
      if (!enter_component()) return false;
    }
    return errno_of_parse_ == 0 || failed(errno_of_parse_);
  }

  // The O_PATH descriptor of what was found; the caller owns it.
  int take() {
    if (depth_ == 0) return ::fcntl(root_fd_, F_DUPFD_CLOEXEC, 3);
    return stack_[--depth_];
  }
  // Opens what was found for something else than O_PATH, by its name in its directory, and makes sure that it
  // is the same file.
  int reopen(int flags) {
    struct stat wanted, got;
    if (::fstat(top(), &wanted) < 0) return -1;
    if (S_ISDIR(wanted.st_mode)) return ::openat(top(), ".", flags | O_CLOEXEC);
    const int parent = depth_ > 1 ? stack_[depth_ - 2] : root_fd_;
    Fd file{::openat(parent, last_name_, flags | O_NOFOLLOW | O_CLOEXEC)};
    if (!file || ::fstat(file.get(), &got) < 0) return -1;
    if (wanted.st_dev == got.st_dev && wanted.st_ino == got.st_ino) return file.release();
    errno = EAGAIN;
    return -1;
  }
  bool made() const { return made_; }

 private:
  int top() const { return depth_ == 0 ? root_fd_ : stack_[depth_ - 1]; }

  void pop_to(int depth) {
    const int saved = errno;
    while (depth_ > depth) ::close(stack_[--depth_]);
    errno = saved;
  }

  bool next_component() {
    while (rest_[position_] == '/') ++position_;
    if (rest_[position_] == '\0') return false;
    std::size_t length = 0;
    while (rest_[position_ + length] != '\0' && rest_[position_ + length] != '/') ++length;
    if (length >= sizeof component_) {
      errno_of_parse_ = ENAMETOOLONG;
      return false;
    }
    std::memcpy(component_, rest_ + position_, length);
    component_[length] = '\0';
    position_ += length;
    std::size_t after = position_;
    while (rest_[after] == '/') ++after;
    is_last_ = rest_[after] == '\0';
    return true;
  }

  bool enter_component() {
    made_ = false;
    if (std::strcmp(component_, ".") == 0) return true;
    if (std::strcmp(component_, "..") == 0) {
      if (depth_ > 0) pop_to(depth_ - 1);
      return true;
    }
    Fd entry{open_entry()};
    struct stat status;
    if (!entry || ::fstat(entry.get(), &status) < 0) return false;
    if (S_ISLNK(status.st_mode)) {
      if (is_last_ && leaf_ == Leaf::refuse) return failed(ELOOP);
      return follow(entry.get());
    }
    if (!is_last_ && !S_ISDIR(status.st_mode)) return failed(ENOTDIR);
    if (depth_ == max_depth) return failed(ENAMETOOLONG);
    stack_[depth_++] = entry.release();
    std::strcpy(last_name_, component_);
    return true;
  }

  int open_entry() {
    for (int attempt = 0; attempt < max_retries; ++attempt) {
      const int fd = ::openat(top(), component_, O_PATH | O_NOFOLLOW | O_CLOEXEC);
      if (fd >= 0 || errno != ENOENT || missing_ == Missing::fail) return fd;
      if (!make_entry() && errno != EEXIST) return -1;
    }
    return -1;
  }

  bool make_entry() {
    if (is_last_ && missing_ == Missing::make_file) {
      const int file =
          ::openat(top(), component_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode_);
      if (file < 0) return false;
      ::close(file);
    } else if (::mkdirat(top(), component_, is_last_ ? mode_ : 0755) < 0) {
      return false;
    }
    made_ = is_last_;
    return true;
  }

  // A link of procfs below /proc/PID is not its text but a door to an open file, a root or a namespace; those
  // in its root directory (self, mounts, net) are ordinary ones.
  bool is_magic_link(int link_fd) const {
    struct statfs facts;
    struct stat parent;
    if (::fstatfs(link_fd, &facts) < 0 || ::fstat(top(), &parent) < 0) return true;
    return facts.f_type == PROC_SUPER_MAGIC && parent.st_ino != proc_root_inode;
  }

  // Puts the link's text in front of what is left of the path.
  bool follow(int link_fd) {
    if (++links_ > max_links || is_magic_link(link_fd)) return failed(ELOOP);
    char target[PATH_MAX];
    const ssize_t length = ::readlinkat(link_fd, "", target, sizeof target);
    if (length < 0) return false;
    const std::size_t left = std::strlen(rest_ + position_);
    if (length == 0) return failed(ENOENT);
    if (static_cast<std::size_t>(length) + left >= sizeof rest_) return failed(ENAMETOOLONG);
    std::memmove(rest_ + length, rest_ + position_, left + 1);
    std::memcpy(rest_, target, static_cast<std::size_t>(length));
    position_ = 0;
    if (target[0] == '/') pop_to(0);
    return true;
  }

  int root_fd_;
  Missing missing_;
  Leaf leaf_;
  mode_t mode_;
  int stack_[max_depth];
  int depth_ = 0;
  int links_ = 0;
  int errno_of_parse_ = 0;
  bool is_last_ = false;
  bool made_ = false;
  std::size_t position_ = 0;
  char component_[256];
  char last_name_[256];
  char rest_[2 * PATH_MAX];
};

bool is_denied(int error) {
  return error == ENOSYS || error == EPERM;
}

int open_by_kernel(int root_fd, const char* path, int flags, Leaf leaf) {
  const int nofollow = leaf == Leaf::refuse ? O_NOFOLLOW : 0;
  int fd = -1;
  for (int attempt = 0; attempt < max_retries; ++attempt) {
    fd = kernel::openat2(root_fd, path, static_cast<std::uint64_t>(flags | nofollow | O_CLOEXEC),
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  struct stat status;
  // O_PATH with O_NOFOLLOW opens the link itself.
  if (fd >= 0 && leaf == Leaf::refuse && ::fstat(fd, &status) == 0 && S_ISLNK(status.st_mode)) {
    ::close(fd);
    errno = ELOOP;
    return -1;
  }
  return fd;
}

int open_by_walk(int root_fd, const char* path, int flags, Leaf leaf) {
  Walk walk(root_fd, Missing::fail, leaf, 0);
  if (!walk.run(path)) return -1;
  if ((flags & O_PATH) == 0) return walk.reopen(flags);
  Fd found{walk.take()};
  struct stat status;
  if (!found || (flags & O_DIRECTORY) == 0) return found.release();
  if (::fstat(found.get(), &status) < 0) return -1;
  if (S_ISDIR(status.st_mode)) return found.release();
  errno = ENOTDIR;
  return -1;
}

int make_in_root(int root_fd, const char* path, Missing missing, mode_t mode, Leaf leaf, bool* made) {
  if (made != nullptr) *made = false;
  Fd existing{open_in_root(root_fd, path, O_PATH, leaf)};
  if (existing || errno != ENOENT) return existing.release();
  Walk walk(root_fd, missing, leaf, mode);
  if (!walk.run(path)) return -1;
  if (made != nullptr) *made = walk.made();
  return walk.take();
}

}  // namespace

int open_in_root(int root_fd, const char* path, int flags, Leaf leaf) {
  const int fd = open_by_kernel(root_fd, path, flags, leaf);
  // EAGAIN: somebody renames as fast as we look. The walk is not disturbed by that.
  if (fd >= 0 || (!is_denied(errno) && errno != EAGAIN)) return fd;
  return open_by_walk(root_fd, path, flags, leaf);
}

int make_directory_in_root(int root_fd, const char* path, mode_t mode, Leaf leaf, bool* made) {
  Fd found{make_in_root(root_fd, path, Missing::make_directory, mode, leaf, made)};
  struct stat status;
  if (!found || ::fstat(found.get(), &status) < 0) return -1;
  if (S_ISDIR(status.st_mode)) return found.release();
  errno = ENOTDIR;
  return -1;
}

int make_file_in_root(int root_fd, const char* path, mode_t mode, Leaf leaf) {
  Fd found{make_in_root(root_fd, path, Missing::make_file, mode, leaf, nullptr)};
  struct stat status;
  if (!found || ::fstat(found.get(), &status) < 0) return -1;
  if (!S_ISDIR(status.st_mode)) return found.release();
  errno = EISDIR;
  return -1;
}

}  // namespace knarr::engine::init
