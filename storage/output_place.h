// SPDX-License-Identifier: Apache-2.0
// Where a command writes what it makes: all of it or nothing. It grows under a name nobody looks for, beside
// its place, and moves there when it is whole.
#pragma once

#include <string>

#include "rootless/sys/unique_fd.h"

namespace knarr::storage {

class OutputFile {
 public:
  // "-" is standard output. What is no regular file (a pipe, a device) is written as it is. Throws SysError,
  // InvalidArgument for a directory.
  explicit OutputFile(const std::string& path);
  ~OutputFile();  // what was not published goes away
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int fd() const { return fd_.get(); }
  void publish();

 private:
  void make_temporary();

  std::string path_;
  std::string directory_;
  std::string temporary_;  // the name it has meanwhile; empty: none
  bool is_direct_ = false;
  sys::UniqueFd fd_;
};

class OutputDirectory {
 public:
  // Throws Conflict when something is at `path` that is no empty directory, nor one that has the file
  // `replaced`: such a one is put in the place of.
  explicit OutputDirectory(const std::string& path, const std::string& replaced = {});
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  int fd() const { return fd_.get(); }
  void publish();

 private:
  std::string path_;
  std::string temporary_;
  bool is_replaced_ = false;  // what is at path_ goes away
  sys::UniqueFd fd_;
};

}  // namespace knarr::storage
