// SPDX-License-Identifier: Apache-2.0
// Starts a container's monitor. The monitor is forked before the plan exists: entering R costs two helper
// programs (about 2 ms), and meanwhile the command resolves the image and writes the record.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/launch/arena.h"
#include "engine/launch/launch_plan.h"
#include "engine/monitor/plan.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

struct Launched {
  pid_t init = 0;
  sys::UniqueFd client;  // the first attached client's end, when `attached`
};

class Launcher {
 public:
  // Forks the monitor-to-be, which enters R and waits for its plan. Without one (the Launcher is destroyed,
  // the command dies) it ends without a trace.
  static Launcher begin(const Engine& engine, bool attached);

  // Where plan_init() and plan_namespaces() lay out their data.
  Arena& arena() { return *arena_; }

  // The monitor-to-be: what belongs to the container while it runs carries its name.
  const sys::ProcessId& monitor() const { return monitor_; }

  // What has been done so far; null when nobody asks for it.
  init::Trace* trace() const { return trace_; }
  void done(const char* what) const { init::mark(trace_, "command", what); }

  // Hands the plan over (the descriptors in it are filled in here), with copies of `descriptors` for its
  // `received`, and returns when the container's process runs. Throws LaunchError with `words` for what
  // failed; then nothing of the container is left running.
  Launched launch(const Engine& engine, monitor::Plan plan, const InitPlanWords& words,
                  const std::vector<int>& descriptors);

 private:
  struct Handover;
  Launcher() = default;
  int serve(const Engine& engine);  // in the monitor's process
  void hand_over(const monitor::Plan* plan, const std::vector<int>& descriptors) const;
  void throw_enter_failure() const;

  std::unique_ptr<Arena> arena_;
  sys::ProcessId monitor_;
  Handover* handover_ = nullptr;
  init::Trace* trace_ = nullptr;
  // A socket, not a pipe: writing to a dead monitor must not raise SIGPIPE.
  sys::SocketPair ready_;  // first: the command's end; carries the address of the plan
  sys::Pipe started_;      // monitor to command: StartReports
  sys::SocketPair attach_;
  // The monitor's ends by number, valid in its process only.
  int monitor_start_fd_ = -1;
  int monitor_client_fd_ = -1;
};

}  // namespace knarr::engine
