// SPDX-License-Identifier: Apache-2.0
#include "storage/store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "rootless/sys/error.h"
#include "storage/meta/random.h"

namespace knarr::storage {
namespace {

constexpr std::string_view format_version = "1";

constexpr std::array store_directories = {"blobs", "blobs/sha256", "layers",  "images", "refs", "containers",
                                          "names", "volumes",      "staging", "trash",  "mnt"};
// Made by who needs them; stores of older versions lack them.
constexpr std::array later_directories = {"downloads", "maps", "mountpoints"};

// Who wants to go on with a pull does so sooner.
constexpr std::time_t download_lifetime = 7 * 24 * 3600;

std::string_view trim_line(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \n") + 1);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void check_version(std::string_view version) {
  if (version == format_version) return;
  if (!is_number(version)) {
    throw InvalidArgument(concat("its VERSION file does not hold a version"));
  }
  Unsupported error(
      concat("its format ", version, " is newer than the one this knarr knows (", format_version, ")"));
  error.set_hint("use the knarr that wrote it, or another store with --root");
  throw error;
}

// A directory with somebody else's files does not become a store: `--root ~` must not scatter files there.
void require_no_foreign_files(int root_fd) {
  for (const std::string& name : sys::list_directory(root_fd, ".")) {
    const bool ours =
        std::find(store_directories.begin(), store_directories.end(), name) != store_directories.end() ||
        std::find(later_directories.begin(), later_directories.end(), name) != later_directories.end() ||
        name == "VERSION" || name == "lost+found" || name.starts_with(".new-");
    if (!ours) {
      throw InvalidArgument(concat("the directory is not empty and holds no store, but \"", name, "\""));
    }
  }
}

// VERSION comes last: with it the tree is complete. Two commands may do this at the same time.
void make_tree(int root_fd, const std::string& root) {
  require_no_foreign_files(root_fd);
  // The names in a store tell what its user runs, and layers hold set-uid programs.
  if (::fchmod(root_fd, 0700) < 0) throw_errno("setting the mode of ", root);
  for (const char* directory : store_directories) sys::make_directory(root_fd, directory, 0700);
  try {
    sys::create_file(root_fd, "VERSION", concat(format_version, '\n'), 0600, sys::Durability::synced);
  } catch (const Conflict&) {
  }
}

sys::UniqueFd open_root(const std::string& root) {
  sys::UniqueFd fd = sys::find_at(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  if (fd) return fd;
  sys::make_directories(AT_FDCWD, root, 0700);
  return sys::open_directory(AT_FDCWD, root);
}

// Nobody else's removal is under way and nobody works in it: the lock says so.
std::optional<sys::Lock> claim(int root_fd, const std::string& path) {
  try {
    return sys::Lock::try_acquire(root_fd, path, sys::Lock::Mode::exclusive);
  } catch (const Error&) {
    return std::nullopt;  // gone, or not ours to open
  }
}

std::string new_trash_path() {
  return "trash/" + random_hex(32);
}

bool is_old_download(int root_fd, const std::string& path) {
  const auto info = sys::stat_at(root_fd, path, AT_SYMLINK_NOFOLLOW);
  return info && info->st_mtime <= ::time(nullptr) - download_lifetime;
}

// Gives `act` the path of each thing that nobody holds, while it is locked.
template <typename Act>
void for_each_unheld(int root_fd, const std::string& directory, const Act& act) {
  for (const std::string& name : sys::list_directory(root_fd, directory)) {
    const std::string path = concat(directory, '/', name);
    if (const auto lock = claim(root_fd, path)) act(path);
  }
}

// A rename that fails is tried again by the next command.
void trash(int root_fd, const std::string& path) {
  ::renameat(root_fd, path.c_str(), root_fd, new_trash_path().c_str());
}

}  // namespace

Store Store::open(const std::string& root) {
  return with_context(concat("opening the store ", root), [&] {
    sys::UniqueFd root_fd = open_root(root);
    std::optional<std::string> version = sys::read_file_if_exists(root_fd.get(), "VERSION", 4096);
    if (!version) {
      make_tree(root_fd.get(), root);
      version = sys::read_file(root_fd.get(), "VERSION", 4096);
    }
    check_version(trim_line(*version));
    return Store(root, std::move(root_fd));
  });
}

sys::Lock Store::lock_gc(sys::Lock::Mode mode) const {
  return sys::Lock::acquire(fd(), ".", mode);
}

Store::Staging Store::make_staging(const std::string& purpose) const {
  while (true) {
    std::string path = concat("staging/", purpose, '-', random_hex(16));
    if (::mkdirat(fd(), path.c_str(), 0700) < 0) {
      if (errno == EEXIST) continue;
      throw_errno("creating directory ", path);
    }
    try {
      sys::Lock lock = sys::Lock::acquire(fd(), path, sys::Lock::Mode::exclusive);
      return {std::move(path), std::move(lock)};
    } catch (const NotFound&) {
      // An empty_trash() came between mkdir and lock and took it for garbage.
    }
  }
}

bool Store::move_to_trash(const std::string& relative) const {
  // A link has nothing to be deleted later, and could not be locked in trash/: what it leads to would be.
  const auto info = sys::stat_at(fd(), relative, AT_SYMLINK_NOFOLLOW);
  if (info && S_ISLNK(info->st_mode)) return sys::unlink_if_exists(fd(), relative);
  const std::string trash = new_trash_path();
  if (::renameat(fd(), relative.c_str(), fd(), trash.c_str()) == 0) return true;
  const int code = errno;
  if (code == ENOENT && !sys::stat_at(fd(), relative, AT_SYMLINK_NOFOLLOW)) return false;
  throw_sys_error(code, concat("moving ", relative, " to trash"));
}

void Store::sweep_staging() const {
  for_each_unheld(fd(), "staging", [&](const std::string& path) { trash(fd(), path); });
}

void Store::trash_garbage(Downloads downloads) const {
  sweep_staging();
  for_each_unheld(fd(), "downloads", [&](const std::string& path) {
    if (downloads == Downloads::all || is_old_download(fd(), path)) trash(fd(), path);
  });
}

void Store::empty_trash() const {
  trash_garbage(Downloads::old);
  for_each_unheld(fd(), "trash", [&](const std::string& path) {
    try {
      sys::remove_tree(fd(), path);
    } catch (const Error&) {
      // The next call tries the rest again.
    }
  });
}

bool Store::has_trash() const {
  return !sys::list_directory(fd(), "trash").empty();
}

std::vector<std::string> Store::missing_directories() const {
  std::vector<std::string> missing;
  for (const char* directory : store_directories) {
    const auto info = sys::stat_at(fd(), directory, AT_SYMLINK_NOFOLLOW);
    if (!info || !S_ISDIR(info->st_mode)) missing.emplace_back(directory);
  }
  return missing;
}

std::vector<std::string> Store::find_garbage(Downloads downloads) const {
  std::vector<std::string> garbage;
  const auto add = [&](const std::string& path) { garbage.push_back(path); };
  for_each_unheld(fd(), "staging", add);
  for_each_unheld(fd(), "trash", add);
  for_each_unheld(fd(), "downloads", [&](const std::string& path) {
    if (downloads == Downloads::all || is_old_download(fd(), path)) add(path);
  });
  return garbage;
}

}  // namespace knarr::storage
