// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/monitor/protocol.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine::monitor {

namespace {

constexpr std::size_t buffer_size = 128 * 1024;
// Readers of json-file logs are built for pieces of this size; escaped it still fits the buffer.
constexpr std::size_t max_json_text = 16 * 1024;
constexpr std::size_t max_stamp = 30;
constexpr std::size_t max_frame_around_text = 256;
static_assert(max_frame + max_frame_around_text < buffer_size);
static_assert(JsonEscaper::room(max_json_text) + max_frame_around_text < buffer_size);

constexpr int open_flags = O_WRONLY | O_APPEND | O_CREAT;
constexpr mode_t log_mode = 0600;

char* copy(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

std::string render_attributes(const char* tag) {
  if (tag == nullptr || *tag == '\0') return {};
  const std::string_view text(tag);
  std::string escaped(JsonEscaper::room(text.size()), '\0');
  JsonEscaper escaper;
  char* end = escaper.finish(escaper.escape(escaped.data(), text));
  escaped.resize(static_cast<std::size_t>(end - escaped.data()));
  return concat("\"attrs\":{\"tag\":\"", escaped, "\"},");
}

std::size_t text_limit(LogDriver driver) {
  return driver == LogDriver::json_file ? max_json_text : max_frame;
}

std::size_t text_room(LogDriver driver, std::size_t size) {
  return driver == LogDriver::json_file ? JsonEscaper::room(size) : size;
}

}  // namespace

LogWriter::LogWriter(const Plan& plan)
    : driver_(plan.log_driver),
      path_(plan.log_path),
      max_size_(plan.log_max_size),
      max_files_(plan.log_max_files),
      attributes_(render_attributes(plan.log_tag)),
      buffer_(buffer_size + attributes_.size()) {
  static_assert(sizeof stamp_ == max_stamp);
  if (driver_ == LogDriver::none) return;
  fd_ = sys::open_at(AT_FDCWD, path_, open_flags, log_mode);
  struct stat status {};
  if (::fstat(fd_.get(), &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
}

void LogWriter::write(Stream stream, std::string_view bytes, std::int64_t now_ns) {
  if (driver_ == LogDriver::none) return;
  stamp(now_ns);
  if (lost_ != 0) append_notice();
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const bool complete = newline != std::string_view::npos;
    append_line(stream, bytes.substr(0, newline), complete ? Ending::newline : Ending::none);
    bytes.remove_prefix(complete ? newline + 1 : bytes.size());
  }
  flush();
}

void LogWriter::finish(std::int64_t now_ns) {
  if (driver_ != LogDriver::json_file) return;
  stamp(now_ns);
  append_record(Stream::output, {}, Ending::stream_end);
  append_record(Stream::error, {}, Ending::stream_end);
  flush();
}

void LogWriter::append_line(Stream stream, std::string_view text, Ending ending) {
  const std::size_t limit = text_limit(driver_);
  for (; text.size() > limit; text.remove_prefix(limit)) {
    append_record(stream, text.substr(0, limit), Ending::none);
  }
  append_record(stream, text, ending);
}

void LogWriter::append_record(Stream stream, std::string_view text, Ending ending) {
  if (used_ + text_room(driver_, text.size()) + attributes_.size() + max_frame_around_text > buffer_.size()) {
    flush();
  }
  char* const begin = buffer_.data() + used_;
  const auto length = static_cast<std::size_t>(render(begin, stream, text, ending) - begin);
  if (length == 0) return;
  if (rotation_due(length)) {
    flush();
    rotate();
    std::memmove(buffer_.data(), begin, length);
  }
  used_ += length;
  payload_ += text.size() + (ending == Ending::newline ? 1 : 0);
}

char* LogWriter::render(char* out, Stream stream, std::string_view text, Ending ending) {
  if (driver_ == LogDriver::json_file) return render_json(out, stream, text, ending);
  out = copy(out, {stamp_, sizeof stamp_});
  *out++ = ' ';
  out = copy(out, stream_name(stream));
  out = copy(out, ending == Ending::newline ? " F " : " P ");
  out = copy(out, text);
  *out++ = '\n';
  return out;
}

char* LogWriter::render_json(char* out, Stream stream, std::string_view text, Ending ending) {
  JsonEscaper& escaper = escapers_[static_cast<int>(stream)];
  char* const begin = out;
  out = copy(out, "{\"log\":\"");
  char* const text_begin = out;
  out = escaper.escape(out, text);
  if (ending != Ending::none) out = escaper.finish(out);
  if (ending == Ending::newline) out = copy(out, "\\n");
  if (out == text_begin) return begin;  // all of it is held back
  out = copy(out, "\",\"stream\":\"");
  out = copy(out, stream_name(stream));
  out = copy(out, "\",");
  out = copy(out, attributes_);
  out = copy(out, "\"time\":\"");
  out = copy(out, {stamp_, sizeof stamp_});
  return copy(out, "\"}\n");
}

// Goes out in one write with the records that follow it, so a disk with room for the notice alone does not
// fill up with notices.
void LogWriter::append_notice() {
  noticed_ += std::exchange(lost_, 0);
  const std::size_t payload = payload_;
  append_record(Stream::error,
                concat("knarr: ", noticed_, " bytes of output are missing here: ", errno_words(lost_error_)),
                Ending::newline);
  payload_ = payload;
}

void LogWriter::stamp(std::int64_t now_ns) {
  const std::int64_t second = now_ns / ns_per_second;
  if (second != stamp_second_) {
    stamp_second_ = second;
    render_utc_second(second, stamp_);
    stamp_[19] = '.';
    stamp_[29] = 'Z';
  }
  std::int64_t fraction = now_ns % ns_per_second;
  for (char* digit = stamp_ + 28; digit != stamp_ + 19; --digit, fraction /= 10) {
    *digit = static_cast<char>('0' + fraction % 10);
  }
}

void LogWriter::flush() {
  std::size_t written = 0;
  while (written < used_) {
    const ssize_t wrote = ::write(fd_.get(), buffer_.data() + written, used_ - written);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return drop(written, errno);
    written += static_cast<std::size_t>(wrote);
  }
  size_ += written;
  used_ = payload_ = 0;
  noticed_ = 0;
}

// Whole records only: what a failed write left behind is cut off. The monitor is the file's only writer, so
// its end is ours.
void LogWriter::drop(std::size_t torn_bytes, int error) {
  struct stat status {};
  if (torn_bytes != 0 && ::fstat(fd_.get(), &status) == 0) {
    // Nothing more can be done for a log that cannot even shrink.
    [[maybe_unused]] const int ignored =
        ::ftruncate(fd_.get(), status.st_size - static_cast<off_t>(torn_bytes));
  }
  lost_ += payload_ + std::exchange(noticed_, 0);
  lost_error_ = error;
  used_ = payload_ = 0;
}

bool LogWriter::rotation_due(std::size_t record_bytes) const {
  const std::uint64_t before = size_ + used_;
  return max_size_ != 0 && before != 0 && before + record_bytes > max_size_;
}

// path.(N-2) becomes path.(N-1), .., path becomes path.1. Renamed, not truncated: who follows the log reads
// the old file to its end.
void LogWriter::rotate() {
  const std::string path(path_);
  for (std::uint32_t i = max_files_ - 1; i > 1 && max_files_ > 1; --i) {
    ::rename(concat(path, '.', i - 1).c_str(), concat(path, '.', i).c_str());
  }
  if (max_files_ > 1) {
    ::rename(path_, concat(path, ".1").c_str());
  } else {
    ::unlink(path_);
  }
  // Where no new file can be made the old one, under its new name, goes on.
  sys::UniqueFd next(::open(path_, open_flags | O_CLOEXEC, log_mode));
  if (next) fd_ = std::move(next);
  size_ = 0;
}

}  // namespace knarr::engine::monitor
