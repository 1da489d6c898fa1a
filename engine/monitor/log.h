// SPDX-License-Identifier: Apache-2.0
// Writes a container's output to its log (log_format.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/monitor/json_escape.h"
#include "engine/monitor/log_format.h"
#include "engine/monitor/page_buffer.h"
#include "engine/monitor/plan.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

// A log that cannot be written (a full disk) never stops the container: what does not fit is dropped as whole
// records, and a record in the log says how much, once there is room again.
class LogWriter {
 public:
  // Opens the log of the plan for appending. Throws SysError.
  explicit LogWriter(const Plan& plan);

  // What one read gave: its complete lines and, as a partial one, the beginning of the next.
  void write(Stream stream, std::string_view bytes, std::int64_t now_ns);
  // The streams are at their ends.
  void finish(std::int64_t now_ns);
  void release_memory() { buffer_.release(); }

 private:
  enum class Ending { newline, none, stream_end };
  void append_line(Stream stream, std::string_view text, Ending ending);
  void append_record(Stream stream, std::string_view text, Ending ending);
  char* render(char* out, Stream stream, std::string_view text, Ending ending);
  char* render_json(char* out, Stream stream, std::string_view text, Ending ending);
  void append_notice();
  void stamp(std::int64_t now_ns);
  void flush();
  void drop(std::size_t torn_bytes, int error);
  bool rotation_due(std::size_t record_bytes) const;
  void rotate();

  const LogDriver driver_;
  const char* const path_;
  const std::uint64_t max_size_;
  const std::uint32_t max_files_;
  std::string attributes_;  // json-file: "attrs":{..},

  sys::UniqueFd fd_;
  std::uint64_t size_ = 0;  // of the current file
  PageBuffer buffer_;
  std::size_t used_ = 0;     // of the buffer
  std::size_t payload_ = 0;  // of the container's bytes in it
  JsonEscaper escapers_[2];

  std::int64_t stamp_second_ = -1;
  char stamp_[30];  // "2026-11-23T12:12:10.123456789Z"

  std::uint64_t lost_ = 0;     // bytes dropped that the log does not tell of yet
  std::uint64_t noticed_ = 0;  // those a notice in the buffer tells of
  int lost_error_ = 0;
};

}  // namespace knarr::engine::monitor
