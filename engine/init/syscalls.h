// SPDX-License-Identifier: Apache-2.0
// The system calls that the C library has no wrapper for, a descriptor that closes itself, and the names of
// descriptors under /proc/self/fd. Everything returns as the kernel does: -1 and errno.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace knarr::engine::init {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) : fd_(other.release()) {}
  Fd& operator=(Fd&& other) {
    reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1) {
    const int saved = errno;  // a failure on its way to a Report must survive the close
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    errno = saved;
  }

 private:
  int fd_ = -1;
};

// Sets errno; `return failed(ENOTDIR);` in a function that returns bool.
inline bool failed(int error) {
  errno = error;
  return false;
}

// "/proc/self/fd/N": the name of a descriptor for calls that take paths only. Valid while the host's /proc is
// in place, that is, before pivot_root.
struct FdPath {
  FdPath() = default;
  explicit FdPath(int fd) {
    constexpr char prefix[] = "/proc/self/fd/";
    std::size_t length = 0;
    for (; prefix[length] != '\0'; ++length) text[length] = prefix[length];
    char digits[12];
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + fd % 10);
      fd /= 10;
    } while (fd > 0);
    while (count > 0) text[length++] = digits[--count];
    text[length] = '\0';
  }
  char text[32] = "";
};

namespace kernel {

inline int openat2(int dir_fd, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, dir_fd, path, &how, sizeof how));
}

inline int pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

// The C library's own getcwd(3) hides an unreachable directory behind a search of its own.
inline long getcwd(char* buffer, std::size_t size) {
  return ::syscall(SYS_getcwd, buffer, size);
}

inline int capset(__user_cap_header_struct* header, const __user_cap_data_struct* data) {
  return static_cast<int>(::syscall(SYS_capset, header, data));
}

inline int seccomp_set_filter(unsigned int flags, const sock_fprog* program) {
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program));
}

// The C library's wrappers may act on all threads and keep caches; init has one thread.
inline int setgroups(std::size_t count, const gid_t* groups) {
  return static_cast<int>(::syscall(SYS_setgroups, count, groups));
}
inline int setresgid(gid_t id) {
  return static_cast<int>(::syscall(SYS_setresgid, id, id, id));
}
inline int setresuid(uid_t id) {
  return static_cast<int>(::syscall(SYS_setresuid, id, id, id));
}

}  // namespace kernel
}  // namespace knarr::engine::init
