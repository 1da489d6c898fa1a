// SPDX-License-Identifier: Apache-2.0
// A store in a directory of its own that goes away with the test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/store.h"

namespace knarr::storage {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = concat(base(), "/knarr-test-XXXXXX");
    if (::mkdtemp(path_.data()) == nullptr) throw_errno("making a temporary directory");
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { sys::remove_tree(AT_FDCWD, path_); }
  const std::string& path() const { return path_; }

 private:
  // Memory, where there is some: ext4 gets slow at making files soon after many were deleted, as tests do.
  static std::string base() {
    if (const char* chosen = ::getenv("TMPDIR")) return chosen;
    return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  }

  std::string path_;
};

class StoreTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  Store store_ = Store::open(directory_.path() + "/store");

  bool exists(const std::string& relative) const {
    return sys::stat_at(store_.fd(), relative, AT_SYMLINK_NOFOLLOW).has_value();
  }
  void write(const std::string& relative, std::string_view content) const {
    sys::replace_file(store_.fd(), relative, content, 0600, sys::Durability::none);
  }
  std::vector<std::string> list(const std::string& relative) const {
    return sys::list_directory(store_.fd(), relative);
  }
};

// Runs `act` in `count` processes that start it at the same instant; their exit statuses. `act` gets
// 0..count-1.
inline std::vector<int> race(int count, const std::function<int(int)>& act) {
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) < 0) throw_errno("making a pipe");
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("forking");
    if (pid == 0) {
      ::close(gate[1]);
      char byte;
      while (::read(gate[0], &byte, 1) > 0) {
      }  // returns at end of file: the parent closed the gate's other end
      int status = 99;
      try {
        status = act(i);
      } catch (const std::exception& error) {
        ::write(2, error.what(), std::string_view(error.what()).size());
        ::write(2, "\n", 1);
      }
      ::_exit(status);
    }
    children.push_back(pid);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  std::vector<int> statuses;
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    statuses.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  return statuses;
}

}  // namespace knarr::storage
