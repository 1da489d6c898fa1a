// SPDX-License-Identifier: Apache-2.0
// What a monitor and its clients say to each other.
//
// Start: the monitor writes one StartReport to the pipe it was given, when the container runs or cannot.
// Attach: AF_UNIX SOCK_SEQPACKET, one frame a packet: a FrameType byte, then the payload. The socket is
// run_root/containers/<id>/attach (mode 0600 in a 0700 directory; SO_PEERCRED is checked).
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/init/plan.h"
#include "engine/launch/spawn.h"
#include "rootless/sys/error.h"

namespace knarr::engine::monitor {

constexpr std::size_t max_frame = 32 * 1024;  // payload bytes in a packet

enum class FrameType : std::uint8_t {
  // client to monitor
  input = 'i',      // bytes for standard input
  input_end = 'e',  // standard input is at its end
  resize = 'r',     // WindowSize
  networks = 'n',   // the container's network record has changed
  // monitor to client
  output = 'o',  // bytes of standard output (and error, on a terminal)
  error = 'E',
  exited = 'x'  // std::int32_t exit code; the last frame
};

struct WindowSize {
  std::uint16_t rows;
  std::uint16_t columns;
};

struct StartReport {
  enum class Kind : std::uint32_t {
    started,
    monitor_failed,  // monitor_step, init_report.error
    spawn_failed,    // spawn
    init_failed,     // init_report
    init_killed,     // init died without a word; init_report.error is its wait status
    told,            // the words are in the plan's Told
    notice           // init_report: an optional operation was skipped; another report follows
  };
  Kind kind;
  pid_t pid;  // of init, started
  std::uint32_t monitor_step;
  SpawnFailure spawn;
  init::Report init_report;
};

// An error in words, in memory that command and monitor share: for what has too many causes to be a step and
// an errno.
struct Told {
  char error[2048] = {};
  char hint[1024] = {};
};
void tell(Told& told, const Error& error);

enum class MonitorStep : std::uint32_t {
  none,
  enter_r,
  runtime_directory,
  attach_socket,
  log,
  stdio,
  record
};

}  // namespace knarr::engine::monitor
