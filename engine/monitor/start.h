// SPDX-License-Identifier: Apache-2.0
// From a plan to a running container: init, its streams, its pids on disk.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "engine/monitor/io.h"
#include "engine/monitor/network.h"
#include "engine/monitor/plan.h"
#include "engine/monitor/protocol.h"
#include "engine/monitor/record_files.h"
#include "rootless/sys/error.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

// Why a container did not start. Thrown by the steps of a start, and sent to the command as it is.
struct StartFailure {
  StartReport report;
};

// Runs one step; a system call that fails in it fails the start.
template <typename Act>
decltype(auto) at_step(MonitorStep step, Act&& act) {
  const auto failure = [step](int error) {
    return StartFailure{{.kind = StartReport::Kind::monitor_failed,
                         .monitor_step = static_cast<std::uint32_t>(step),
                         .init_report = {.error = error}}};
  };
  try {
    return act();
  } catch (const SysError& error) {
    throw failure(error.code());
  } catch (const Conflict&) {
    throw failure(EBUSY);
  } catch (const std::exception&) {
    throw failure(EIO);
  }
}

// The container's first process, a child of this one. Killed and reaped when nobody waited for it.
class Init {
 public:
  explicit Init(Spawned spawned) : pid_(spawned.pid), pid_fd_(std::move(spawned.pid_fd)) {}
  Init(Init&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pid_fd_(std::move(other.pid_fd_)) {}
  ~Init();

  pid_t pid() const { return pid_; }
  int pid_fd() const { return pid_fd_.get(); }
  void kill();
  int wait();  // its wait status; blocks until it is dead

 private:
  pid_t pid_;
  sys::UniqueFd pid_fd_;
};

struct Started {
  std::unique_ptr<ContainerNetwork> network;  // null where there is none to set up
  Init init;
  ContainerIo io;
  PidsFile pids;
};

// Sends reports to the command that waits for them. It may be gone: the container is started all the same.
class StartReporter {
 public:
  explicit StartReporter(int fd) : fd_(fd) {}
  void send(const StartReport& report) const;
  void finish() { fd_.reset(); }

 private:
  sys::UniqueFd fd_;
};

// Spawns init, lets it go and returns when it has executed the container's program. Throws StartFailure; then
// nothing is left of it.
Started start_init(const Plan& plan, int run_directory_fd, const StartReporter& reporter);

}  // namespace knarr::engine::monitor
