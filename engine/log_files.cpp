// SPDX-License-Identifier: Apache-2.0
#include "engine/log_files.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/log_record.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

constexpr std::int64_t block_size = 64 * 1024;

std::string rotated_path(const std::string& path, unsigned number) {
  return number == 0 ? path : concat(path, '.', number);
}

std::int64_t file_size(const LogFile& file) {
  struct stat status {};
  if (::fstat(file.fd.get(), &status) < 0) throw_errno("looking at the log");
  return status.st_size;
}

// Fewer bytes only at the end of the file.
std::string read_block(const LogFile& file, std::int64_t offset, std::int64_t size) {
  std::string block(static_cast<std::size_t>(size), '\0');
  std::size_t filled = 0;
  while (filled < block.size()) {
    const ssize_t got = ::pread(file.fd.get(), block.data() + filled, block.size() - filled,
                                static_cast<off_t>(offset + static_cast<std::int64_t>(filled)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("reading the log");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  block.resize(filled);
  return block;
}

// Gives the records of a file from its last to its first.
class BackwardReader {
 public:
  explicit BackwardReader(const LogFile& file) : file_(file), begin_(file_size(file)) { skip_torn_end(); }

  // Without its newline, valid until the next call; nullopt before the first.
  std::optional<std::string_view> previous() {
    for (;;) {
      const std::size_t newline = text_.size() < 2 ? std::string::npos : text_.rfind('\n', text_.size() - 2);
      if (newline != std::string::npos) return take(newline + 1);
      if (begin_ == 0) return text_.empty() ? std::nullopt : std::optional(take(0));
      load_block();
    }
  }

  // Where the record begins that previous() gave last; before that, where the last record ends.
  std::int64_t offset() const { return begin_ + static_cast<std::int64_t>(text_.size()); }

 private:
  std::string_view take(std::size_t start) {
    record_.assign(text_, start, text_.size() - 1 - start);
    text_.resize(start);
    return record_;
  }

  void load_block() {
    const std::int64_t size = std::min(block_size, begin_);
    begin_ -= size;
    text_.insert(0, read_block(file_, begin_, size));
  }

  // A record that is being written, or was when the power went.
  void skip_torn_end() {
    while (begin_ > 0 && text_.find('\n') == std::string::npos) load_block();
    text_.resize(text_.rfind('\n') + 1);
  }

  const LogFile& file_;
  std::int64_t begin_;  // of text_, in the file
  std::string text_;    // not given yet; ends with a record's newline
  std::string record_;
};

struct Probe {
  std::int64_t offset;
  std::int64_t time_ns;
};

// The first record that begins after `offset`, if there is one nearby.
std::optional<Probe> probe_after(const LogFile& file, std::int64_t offset) {
  const std::string block = read_block(file, offset, 2 * block_size);
  std::string scratch;
  std::size_t start = block.find('\n');
  while (start != std::string::npos) {
    const std::size_t end = block.find('\n', ++start);
    if (end == std::string::npos) break;
    const auto entry = parse_log_record(std::string_view(block).substr(start, end - start), scratch);
    if (entry) return Probe{offset + static_cast<std::int64_t>(start), entry->time_ns};
    start = end;
  }
  return std::nullopt;
}

// A record's beginning, at most a block before the first record of `since_ns` or later.
std::int64_t bisect(const LogFile& file, std::int64_t since_ns) {
  std::int64_t early = 0, late = file_size(file);
  while (late - early > block_size) {
    const std::int64_t middle = early + (late - early) / 2;
    const auto probe = probe_after(file, middle);
    if (probe && probe->offset < late && probe->time_ns < since_ns) {
      early = probe->offset;
    } else {
      late = middle;
    }
  }
  return early;
}

bool ends_before(const LogFile& file, std::int64_t time_ns) {
  BackwardReader reader(file);
  std::string scratch;
  while (const auto record = reader.previous()) {
    if (const auto entry = parse_log_record(*record, scratch)) return entry->time_ns < time_ns;
  }
  return true;
}

}  // namespace

std::optional<LogFile> open_log_file(const std::string& path) {
  LogFile file{.fd = sys::find_at(AT_FDCWD, path, O_RDONLY)};
  if (!file.fd) return std::nullopt;
  struct stat status {};
  if (::fstat(file.fd.get(), &status) < 0) throw_errno("looking at ", path);
  file.device = status.st_dev;
  file.inode = status.st_ino;
  return file;
}

std::vector<LogFile> open_log_files(const std::string& path) {
  std::vector<LogFile> files;
  // From the newest on: a file that is rotated meanwhile is met twice, never missed.
  for (unsigned number = 0;; ++number) {
    auto file = open_log_file(rotated_path(path, number));
    if (!file && number > 0) break;
    const auto is_same = [&](const LogFile& known) { return known.is_same(*file); };
    if (file && std::none_of(files.begin(), files.end(), is_same)) files.push_back(std::move(*file));
  }
  std::reverse(files.begin(), files.end());
  return files;
}

std::optional<LogFile> open_next_log_file(const std::string& path, const LogFile& file) {
  std::optional<LogFile> newer;
  for (unsigned number = 0;; ++number) {
    auto candidate = open_log_file(rotated_path(path, number));
    // `file` itself is gone: what is left of the others begins here.
    if (!candidate && number > 0) return newer;
    if (candidate && candidate->is_same(file)) return newer;
    if (candidate) newer = std::move(candidate);
  }
}

LogPosition find_tail(const std::vector<LogFile>& files, std::uint64_t lines) {
  if (files.empty()) return {};
  if (lines == 0) return {files.size() - 1, BackwardReader(files.back()).offset()};
  LogPosition position;
  std::uint64_t counted = 0;
  std::array line_counted = {false, false};  // by stream: earlier partial records belong to it
  std::string scratch;
  for (std::size_t i = files.size(); i-- > 0;) {
    BackwardReader reader(files[i]);
    while (const auto record = reader.previous()) {
      const LogEntry entry = parse_log_record(*record, scratch).value_or(LogEntry{});
      bool& belongs = line_counted[static_cast<std::size_t>(entry.stream)];
      if (!entry.partial || !belongs) {
        if (counted++ == lines) return position;
        belongs = true;
      }
      position = {i, reader.offset()};
    }
  }
  return position;
}

LogPosition find_since(const std::vector<LogFile>& files, std::int64_t since_ns) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!ends_before(files[i], since_ns)) return {i, bisect(files[i], since_ns)};
  }
  return find_tail(files, 0);
}

}  // namespace knarr::engine
