// SPDX-License-Identifier: Apache-2.0
// What a monitor needs to know about its container. Plain data in the launch arena.
#pragma once

#include <cstdint>

#include "engine/init/plan.h"
#include "engine/launch/spawn.h"
#include "engine/monitor/network.h"
#include "engine/monitor/protocol.h"

namespace knarr::engine::monitor {

enum class LogDriver : std::uint8_t { none, k8s_file, json_file };

struct Plan {
  const char* container_id = nullptr;
  const char* container_name = nullptr;
  const char* run_directory = nullptr;        // absolute: run_root/containers/<id>, exists
  const char* container_directory = nullptr;  // absolute: store/containers/<id>
  const char* store_root = nullptr;
  NamespacePlan namespaces;
  const init::Plan* init = nullptr;

  bool terminal = false;
  bool keep_stdin_open = false;  // -i: the pipe stays open when no client is attached
  bool stdin_once = false;       // -i in the foreground: input ends with the first client
  LogDriver log_driver = LogDriver::k8s_file;
  const char* log_path = nullptr;   // absolute
  std::uint64_t log_max_size = 0;   // bytes, 0: no limit; then the file is renamed to .1, ..
  std::uint32_t log_max_files = 1;  // the current one included: 3 keeps .1 and .2
  const char* log_tag = nullptr;    // json-file: "attrs":{"tag":..} in each record

  bool make_record_durable = false;                // the command has not waited for the disk: we do
  bool remove_on_exit = false;                     // --rm: the record goes before the exit is reported
  const char* const* anonymous_volumes = nullptr;  // their names, null-terminated: they go with it
  const char* cid_file = nullptr;                  // goes with it, too
  const char* pid_file = nullptr;                  // --pidfile: init's pid; absolute, as all paths here
  const char* monitor_pid_file = nullptr;          // --conmon-pidfile
  std::uint32_t timeout_seconds = 0;               // --timeout: kill after; 0: never

  const NetworkPlan* network = nullptr;  // of a container that is on bridges or has published ports

  Told* told = nullptr;

  // Descriptors that came with the plan, as numbers here.
  int* received = nullptr;
  std::uint32_t received_count = 0;

  // Descriptors the monitor inherits.
  int start_fd = -1;   // StartReport
  int client_fd = -1;  // a first attached client (socket pair), -1: detached

  init::Trace* trace = nullptr;  // may be null
};

// The monitor's process: starts init, supervises, records the exit, cleans up. Returns its own exit status.
// Called in a process forked for it that is in R, leads a session of its own and has /dev/null as its
// standard streams. Every other descriptor that the plan does not name is closed.
int run(const Plan& plan);

}  // namespace knarr::engine::monitor
