// SPDX-License-Identifier: Apache-2.0
// The files of one log: the one that is written, and those it was rotated to.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

struct LogFile {
  sys::UniqueFd fd;
  dev_t device = 0;
  ino_t inode = 0;
  bool is_same(const LogFile& other) const { return device == other.device && inode == other.inode; }
};

// nullopt when there is none.
std::optional<LogFile> open_log_file(const std::string& path);

// Oldest first. Complete even while the log is rotated.
std::vector<LogFile> open_log_files(const std::string& path);

// The file that was begun after `file`; nullopt when there is none (yet).
std::optional<LogFile> open_next_log_file(const std::string& path, const LogFile& file);

struct LogPosition {
  std::size_t file = 0;
  std::int64_t offset = 0;
};

// Where the last `lines` lines begin. Reads backwards, no more than it needs.
LogPosition find_tail(const std::vector<LogFile>& files, std::uint64_t lines);

// Where records of `since_ns` or later begin, by bisection: records are taken to be in the order of their
// times, as they are unless the clock was set back.
LogPosition find_since(const std::vector<LogFile>& files, std::int64_t since_ns);

}  // namespace knarr::engine
