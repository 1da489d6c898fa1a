// SPDX-License-Identifier: Apache-2.0
// A container's files: config.json (container_json.cpp), summary (what `ps` needs: two lines of text, so that
// one file has to be opened for it), and in the run directory the pids of a living one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/container.h"

namespace knarr::engine {

// config.json; carries "version", a newer one is refused by name.
std::string render_config(const ContainerConfig& config);
ContainerConfig parse_config(std::string_view json);

// The first line of the summary file, tab-separated, written at create, hand-parsed by `ps` (STORE: no JSON
// for lists). Fields with a tab or newline are escaped.
struct Summary {
  std::string id, name, image, image_id, command, created;  // command: argv joined by spaces
  bool auto_remove = false;
  bool transient = false;  // made by `run --rm`: worthless when neither its command nor its monitor lives
  std::map<std::string, std::string> labels;
  std::string networks;  // comma-separated
  std::string mounts;    // comma-separated destinations
  // Labels, mounts and the end of the command did not fit in: config.json has them.
  bool truncated = false;
  bool operator==(const Summary&) const = default;
};
// One line without its end, less than 4096 bytes.
std::string render_summary(const Summary& summary);
std::optional<Summary> parse_summary(std::string_view text);  // a line, or a whole file
Summary summarize(const ContainerConfig& config);

// The second line of the summary file, there since the first start: starts and exits, written by the monitor.
struct StatusRecord {
  std::int64_t started_ns = 0, finished_ns = 0;
  int exit_code = 0;
  unsigned restarts = 0;
  bool stopped_by_user = false;
  bool operator==(const StatusRecord&) const = default;
};
constexpr std::size_t status_record_bytes = 128;
std::string render_status(const StatusRecord& record);  // exactly status_record_bytes
std::optional<StatusRecord> parse_status(std::string_view line);
// Empty when there is none.
std::string_view status_line(std::string_view summary_file);

// What a summary file holds.
struct ContainerRecord {
  Summary summary;
  std::optional<StatusRecord> status;  // none before the first start
};

// The pids file, run_root/containers/<id>/pids, "monitor start init start\n". The monitor holds an OFD write
// lock on it (F_OFD_SETLK) for as long as it lives: that lock is what "running" means.
struct LivePids {
  sys::ProcessId monitor, init;
  bool operator==(const LivePids&) const = default;
};
std::string render_pids(const LivePids& pids);
std::optional<LivePids> parse_pids(std::string_view line);

}  // namespace knarr::engine
