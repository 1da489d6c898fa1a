// SPDX-License-Identifier: Apache-2.0
// A directory that goes away with the test.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <string>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    if (!::mkdtemp(path_.data())) throw_errno("creating ", path_);
    fd_ = sys::open_directory(AT_FDCWD, path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    try {
      sys::remove_tree(AT_FDCWD, path_);
    } catch (const Error&) {
      // A test of its own checks removal; here it must not hide the result of another.
    }
  }
  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + '/' + name; }
  int fd() const { return fd_.get(); }

 private:
  std::string path_ = "/tmp/knarr-test-XXXXXX";
  sys::UniqueFd fd_;
};

}  // namespace knarr::test
