// SPDX-License-Identifier: Apache-2.0
// Reads what a monitor has logged (monitor/log.h): both formats, rotated files included, while it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/monitor/log_format.h"

namespace knarr::engine {

struct LogOptions {
  bool follow = false;                             // go on until the container has exited and all is read
  std::optional<std::int64_t> since_ns, until_ns;  // inclusive; with follow, `until` also ends the wait
  std::optional<std::uint64_t> tail;  // only this many lines from the end, before since and until
};

struct LogEntry {
  std::int64_t time_ns = 0;
  Stream stream = Stream::output;
  std::string_view text;  // without the newline
  bool partial = false;   // the line goes on in the stream's next entry
};

struct LogSource {
  std::string path;       // the log; rotated files are path.1, path.2, ..
  std::string pids_path;  // follow: the pids file, locked while the monitor lives (record.h)
};

// Calls `sink` for each entry, oldest first, until it returns false. A log that does not exist is empty. A
// record that cannot be parsed is given as it stands, with the time of the one before: no byte is hidden.
// Throws SysError when the log cannot be read.
void read_logs(const LogSource& source, const LogOptions& options,
               const std::function<bool(const LogEntry&)>& sink);

}  // namespace knarr::engine
