// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

class TempDir {
 public:
  TempDir() {
    const char* base = ::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/knarr-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw_errno("creating ", path_);
  }
  ~TempDir() { sys::remove_tree(AT_FDCWD, path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string read(const std::string& name) const { return sys::read_file(AT_FDCWD, *this / name); }
  bool has(const std::string& name) const { return sys::stat_at(AT_FDCWD, *this / name).has_value(); }

 private:
  std::string path_;
};

}  // namespace knarr::engine
