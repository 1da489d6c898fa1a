// SPDX-License-Identifier: Apache-2.0
#include "rootless/paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>

#include "rootless/host.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

constexpr mode_t private_mode = 0700;

// $NAME if it is an absolute path; the base directory specification says to ignore any other.
std::optional<std::string> absolute_path_from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value || value[0] != '/') return std::nullopt;
  return value;
}

std::string make_absolute(const std::string& path) {
  if (path[0] == '/') return path;
  char directory[PATH_MAX];
  if (!::getcwd(directory, sizeof directory)) throw_errno("finding the working directory");
  return concat(directory, '/', path);
}

std::string default_store_root(bool rootful) {
  if (rootful) return "/var/lib/knarr";
  if (const auto data = absolute_path_from_environment("XDG_DATA_HOME")) return *data + "/knarr";
  const std::string home = home_directory();
  if (home.empty()) {
    Error error("no place for images and containers: HOME is not set and the user database has no entry");
    error.set_hint("set HOME, XDG_DATA_HOME or --root");
    throw error;
  }
  return home + "/.local/share/knarr";
}

// A directory of ours that we can write to, as $XDG_RUNTIME_DIR must be. It is another user's after `su`, and
// missing in a container that inherited the variable.
bool is_usable_runtime_directory(const std::string& path) {
  const auto fd = sys::UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) < 0 || info.st_uid != ::geteuid()) return false;
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

// In /tmp anybody may have made the name before us, so what is there must prove to be ours.
void prepare_private_directory(const std::string& path) {
  sys::make_directory(AT_FDCWD, path, private_mode);
  const auto fd = sys::UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!fd && (errno == ELOOP || errno == ENOTDIR)) throw Error(concat(path, " is a link, not a directory"));
  if (!fd || ::fstat(fd.get(), &info) < 0) throw_errno("opening ", path);
  if (info.st_uid != ::geteuid())
    throw Error(concat(path, " belongs to another user (uid ", info.st_uid, ")"));
  if ((info.st_mode & 07777) != private_mode && ::fchmod(fd.get(), private_mode) < 0) {
    throw_errno("setting the mode of ", path);
  }
}

std::string prepare_store_root(const std::string& option, bool rootful) {
  const std::string path = option.empty() ? default_store_root(rootful) : make_absolute(option);
  sys::make_directories(AT_FDCWD, path, private_mode);
  return path;
}

std::string choose_run_root(bool rootful) {
  if (rootful) return "/run/knarr";
  if (const auto given = absolute_path_from_environment("XDG_RUNTIME_DIR")) {
    if (is_usable_runtime_directory(*given)) return *given + "/knarr";
  }
  // Where the variable is missing (cron, a bare ssh) the containers must be the same as where it is set.
  const std::string number = std::to_string(outermost_known_uid());
  const std::string login = "/run/user/" + number;
  if (is_usable_runtime_directory(login)) return login + "/knarr";
  return "/tmp/knarr-run-" + number;
}

std::string prepare_run_root(const std::string& option, bool rootful) {
  if (!option.empty()) {
    const std::string path = make_absolute(option);
    sys::make_directories(AT_FDCWD, path, private_mode);
    return path;
  }
  const std::string path = choose_run_root(rootful);
  try {
    prepare_private_directory(path);
  } catch (Error& error) {
    error.add_context("preparing the run directory");
    error.set_hint("remove it, or name another place by --runroot or XDG_RUNTIME_DIR");
    throw;
  }
  return path;
}

}  // namespace

Paths prepare_paths(const PathOptions& options) {
  const bool rootful = is_rootful();
  return {prepare_store_root(options.root, rootful), prepare_run_root(options.runroot, rootful)};
}

}  // namespace knarr::rootless
