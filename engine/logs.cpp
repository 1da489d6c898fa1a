// SPDX-License-Identifier: Apache-2.0
#include "engine/logs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/log_files.h"
#include "engine/log_record.h"
#include "engine/monitor/record_files.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

using LogSink = std::function<bool(const LogEntry&)>;

// Where inotify has no instance left for this user.
constexpr int polling_ms = 250;

LogPosition first_position(const std::vector<LogFile>& files, const LogOptions& options) {
  LogPosition start;
  if (options.tail) start = find_tail(files, *options.tail);
  if (!options.since_ns) return start;
  const LogPosition since = find_since(files, *options.since_ns);
  return std::pair(start.file, start.offset) < std::pair(since.file, since.offset) ? since : start;
}

// Turns the bytes of one file after the other into entries for the sink.
class EntryReader {
 public:
  EntryReader(const LogOptions& options, const LogSink& sink) : options_(options), sink_(sink) {}

  void begin(LogFile file, std::int64_t offset) {
    file_ = std::move(file);
    offset_ = offset;
    rest_.clear();
  }
  const LogFile& file() const { return file_; }

  // Reads what there is. False when the sink has had enough.
  bool read_to_end() {
    char block[64 * 1024];
    step_back_if_cut();
    for (;;) {
      const ssize_t got = ::pread(file_.fd.get(), block, sizeof block, offset_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("reading the log");
      if (got == 0) return true;
      offset_ += got;
      rest_.append(block, static_cast<std::size_t>(got));
      if (!give_complete_records()) return false;
    }
  }

 private:
  // A record that did not fit a full disk is cut off again; somebody else may empty the file.
  void step_back_if_cut() {
    struct stat status {};
    if (::fstat(file_.fd.get(), &status) < 0 || status.st_size >= offset_) return;
    const std::int64_t records_end = offset_ - static_cast<std::int64_t>(rest_.size());
    offset_ = status.st_size >= records_end ? records_end : 0;
    rest_.clear();
  }

  bool give_complete_records() {
    std::size_t start = 0;
    for (std::size_t end; (end = rest_.find('\n', start)) != std::string::npos; start = end + 1) {
      if (!give(std::string_view(rest_).substr(start, end - start))) return false;
    }
    rest_.erase(0, start);
    return true;
  }

  bool give(std::string_view line) {
    const LogEntry entry =
        parse_log_record(line, scratch_)
            .value_or(LogEntry{.time_ns = last_time_ns_, .stream = Stream::output, .text = line});
    last_time_ns_ = entry.time_ns;
    const bool wanted = (!options_.since_ns || entry.time_ns >= *options_.since_ns) &&
                        (!options_.until_ns || entry.time_ns <= *options_.until_ns);
    return !wanted || sink_(entry);
  }

  const LogOptions& options_;
  const LogSink& sink_;
  LogFile file_;
  std::int64_t offset_ = 0;
  std::string rest_;  // the beginning of a record
  std::string scratch_;
  std::int64_t last_time_ns_ = 0;
};

// Wakes up when the log or the life of its container has changed.
class LogWatch {
 public:
  explicit LogWatch(const LogSource& source) : pids_(sys::find_at(AT_FDCWD, source.pids_path, O_RDONLY)) {
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    // Its monitor closes the file, also when it is killed.
    if (pids_) watch(own_path(pids_.get()), IN_CLOSE_WRITE);
    const std::size_t slash = source.path.rfind('/');
    watch(slash == std::string::npos ? "." : source.path.substr(0, slash + 1), IN_CREATE | IN_MOVED_TO);
  }

  bool container_lives() const { return pids_ && monitor::is_monitor_alive(pids_.get()); }

  void follow(const LogFile& file) {
    if (file_watch_ >= 0) ::inotify_rm_watch(inotify_.get(), file_watch_);
    file_watch_ = watch(own_path(file.fd.get()), IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB);
  }

  // -1: no limit.
  void wait(int timeout_ms) {
    if (blind_) timeout_ms = timeout_ms < 0 ? polling_ms : std::min(timeout_ms, polling_ms);
    pollfd entry{inotify_.get(), POLLIN, 0};
    if (::poll(&entry, 1, timeout_ms) < 0 && errno != EINTR) throw_errno("waiting for the log");
    char events[4096];
    while (::read(inotify_.get(), events, sizeof events) > 0) {
    }
  }

 private:
  // The very file that is open, whatever its name means by now.
  static std::string own_path(int fd) { return concat("/proc/self/fd/", fd); }

  int watch(const std::string& path, std::uint32_t events) {
    const int id = ::inotify_add_watch(inotify_.get(), path.c_str(), events);
    if (id < 0) blind_ = true;
    return id;
  }

  sys::UniqueFd pids_;
  sys::UniqueFd inotify_;
  int file_watch_ = -1;
  bool blind_ = false;  // a watch is missing: look from time to time
};

class Follower {
 public:
  Follower(const LogSource& source, const LogOptions& options, EntryReader& reader, bool has_file)
      : source_(source), options_(options), reader_(reader), watch_(source), has_file_(has_file) {
    if (has_file_) watch_.follow(reader_.file());
  }

  void run() {
    for (;;) {
      // Asked first: what was written before the end is read after it.
      const bool last_round = !watch_.container_lives() || is_past_until();
      if (!read_what_is_there() || last_round) return;
      watch_.wait(timeout_ms());
    }
  }

 private:
  // Through all files up to the current one. False when the sink has had enough.
  bool read_what_is_there() {
    for (;;) {
      if (has_file_ && !reader_.read_to_end()) return false;
      auto next = has_file_ ? open_next_log_file(source_.path, reader_.file()) : open_log_file(source_.path);
      if (!next) return true;
      // Once it has a successor a file does not grow any more, but it may have until then.
      if (has_file_ && !reader_.read_to_end()) return false;
      reader_.begin(std::move(*next), 0);
      has_file_ = true;
      watch_.follow(reader_.file());
    }
  }

  bool is_past_until() const { return options_.until_ns && wall_clock_ns() > *options_.until_ns; }

  int timeout_ms() const {
    if (!options_.until_ns) return -1;
    const std::int64_t left = (*options_.until_ns - wall_clock_ns()) / 1'000'000 + 1;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  const LogSource& source_;
  const LogOptions& options_;
  EntryReader& reader_;
  LogWatch watch_;
  bool has_file_;
};

}  // namespace

void read_logs(const LogSource& source, const LogOptions& options, const LogSink& sink) {
  std::vector<LogFile> files = open_log_files(source.path);
  const LogPosition start = first_position(files, options);
  EntryReader reader(options, sink);
  for (std::size_t i = start.file; i < files.size(); ++i) {
    reader.begin(std::move(files[i]), i == start.file ? start.offset : 0);
    if (!reader.read_to_end()) return;
  }
  if (options.follow) Follower(source, options, reader, !files.empty()).run();
}

}  // namespace knarr::engine
