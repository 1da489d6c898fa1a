// SPDX-License-Identifier: Apache-2.0
#include "storage/output_place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/meta/random.h"

namespace knarr::storage {
namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_beside(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return concat(directory_of(path), "/.", name.substr(0, 200), ".knarr-", random_hex(8));
}

// A link stays: what it points at is replaced.
std::string behind_links(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

// ---- a file ----

OutputFile::OutputFile(const std::string& path) : path_(path) {
  if (path == "-") {
    is_direct_ = true;
    fd_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!fd_) throw_errno("opening standard output");
    return;
  }
  path_ = behind_links(path);
  const auto there = sys::stat_at(AT_FDCWD, path_);
  if (there && S_ISDIR(there->st_mode)) throw InvalidArgument(concat(path, " is a directory"));
  if (there && !S_ISREG(there->st_mode)) {
    is_direct_ = true;
    fd_ = sys::open_at(AT_FDCWD, path_, O_WRONLY | O_NOCTTY);
    return;
  }
  directory_ = directory_of(path_);
  make_temporary();
}

// Without a name, where the file system can: then not even a kill leaves anything.
void OutputFile::make_temporary() {
  fd_.reset(::open(directory_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (fd_) return;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) throw_errno("creating ", path_);
  temporary_ = temporary_beside(path_);
  fd_.reset(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd_) return;
  const int code = errno;
  temporary_.clear();
  throw_sys_error(code, concat("creating ", path_));
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::publish() {
  if (is_direct_) return;
  if (temporary_.empty()) {
    const std::string name = temporary_beside(path_);
    const std::string file = concat("/proc/self/fd/", fd_.get());
    if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) < 0)
      throw_errno("creating ", path_);
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) < 0) throw_errno("creating ", path_);
  temporary_.clear();
}

// ---- a directory ----

OutputDirectory::OutputDirectory(const std::string& path, const std::string& replaced)
    : path_(without_slashes(path)) {
  const auto there = sys::stat_at(AT_FDCWD, path_, AT_SYMLINK_NOFOLLOW);
  const bool is_directory = there && S_ISDIR(there->st_mode);
  const bool is_empty = is_directory && sys::list_directory(AT_FDCWD, path_).empty();
  is_replaced_ = is_directory && !is_empty && !replaced.empty() &&
                 sys::stat_at(AT_FDCWD, concat(path_, '/', replaced)).has_value();
  if (there && !is_empty && !is_replaced_) throw Conflict(concat(path_, " exists and is no empty directory"));
  const std::string temporary = temporary_beside(path_);
  if (::mkdir(temporary.c_str(), 0777) < 0) throw_errno("creating ", path_);
  temporary_ = temporary;
  fd_ = sys::open_directory(AT_FDCWD, temporary_);
}

OutputDirectory::~OutputDirectory() {
  if (temporary_.empty()) return;
  try {
    sys::remove_tree(AT_FDCWD, temporary_);
  } catch (const Error&) {
    // The first error is the one to tell.
  }
}

void OutputDirectory::publish() {
  // The old one then has the temporary name, and goes away with this object.
  const unsigned flags = is_replaced_ ? RENAME_EXCHANGE : 0;
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), flags) < 0)
    throw_errno("creating ", path_);
  if (!is_replaced_) temporary_.clear();
}

}  // namespace knarr::storage
