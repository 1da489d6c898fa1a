// SPDX-License-Identifier: Apache-2.0
// Files by (dirfd, path). Every open is O_CLOEXEC; AT_FDCWD stands for the working directory.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

// openat(2) with O_CLOEXEC added; throws SysError "opening PATH".
UniqueFd open_at(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
// The same, but an empty UniqueFd when the path does not exist (ENOENT, ENOTDIR).
UniqueFd find_at(int dir_fd, const std::string& path, int flags);
UniqueFd open_directory(int dir_fd, const std::string& path);

// The whole content. Throws SysError, or InvalidArgument when it is longer than max_bytes.
std::string read_file(int dir_fd, const std::string& path, std::size_t max_bytes = 16u << 20);
// nullopt when the file does not exist.
std::optional<std::string> read_file_if_exists(int dir_fd, const std::string& path,
                                               std::size_t max_bytes = 16u << 20);
std::string read_all(int fd, std::string_view what, std::size_t max_bytes = 16u << 20);
void write_all(int fd, std::string_view bytes, std::string_view what);

enum class Durability {
  none,   // survives a crash of the program; a power cut may lose it whole (never a part of it)
  synced  // on the disk when the call returns: fdatasync of the file, fsync of the directory
};

// All that make files and directories give them exactly `mode`, whatever the umask.
//
// Creates `name` with all of `content` or not at all (O_TMPFILE, linkat; a private name where the file system
// has no O_TMPFILE). Throws Conflict when the name exists.
void create_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode,
                 Durability durability);
// The same, replacing what is there by rename(2): readers see the old content or the new.
void replace_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode,
                  Durability durability);

// mkdir -p below dir_fd with this mode for what it makes.
void make_directories(int dir_fd, const std::string& path, mode_t mode);
// mkdirat; existing is fine.
void make_directory(int dir_fd, const std::string& name, mode_t mode);
// Removes a file or a whole tree without following links; missing is fine. Directories without permission
// bits are opened up first; a mount point is never crossed, it counts as a failure (EBUSY). Goes on after a
// failure and throws the first one at the end.
void remove_tree(int dir_fd, const std::string& name);
// unlinkat; missing is fine. Returns whether it was there.
bool unlink_if_exists(int dir_fd, const std::string& name, int flags = 0);

// The names in a directory without "." and "..", in the order of the file system; empty when it is missing.
std::vector<std::string> list_directory(int dir_fd, const std::string& path);
// The target; nullopt when the name is missing or no link.
std::optional<std::string> read_link(int dir_fd, const std::string& name);

// fstatat(2); nullopt when the path does not exist.
std::optional<struct stat> stat_at(int dir_fd, const std::string& path, int flags = 0);

}  // namespace knarr::sys
