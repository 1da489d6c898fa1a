// SPDX-License-Identifier: Apache-2.0
// stop, kill, wait: signals go straight to the container's init by pidfd; the monitor notices by itself.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <limits>

#include "engine/lifecycle.h"
#include "engine/live_container.h"
#include "engine/signals.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

Conflict not_running(const Engine& engine, const std::string& id, std::string_view act) {
  return Conflict(concat("can only ", act, " running containers: ", id.substr(0, 12), " is ",
                         state_name(engine.status(id).state)));
}

int recorded_exit_code(int summary_fd) {
  if (summary_fd < 0) return 0;
  const auto record = parse_status(status_line(sys::read_all(summary_fd, "the container's summary")));
  if (!record || record->started_ns == 0) return 0;
  return record->finished_ns < record->started_ns ? killed_exit_code : record->exit_code;
}

void send(const sys::UniqueFd& init, int signal, const std::string& id) {
  if (!sys::send_signal(init.get(), signal) && errno != ESRCH) {
    throw_errno("sending signal ", signal, " to container ", id.substr(0, 12));
  }
}

// For poll(2); negative: for ever.
int milliseconds(int seconds) {
  constexpr int most = std::numeric_limits<int>::max() / 1000;
  return seconds < 0 ? -1 : std::min(seconds, most) * 1000;
}

}  // namespace

bool stop(const Engine& engine, const std::string& id, std::optional<int> timeout_seconds) {
  const auto live = LiveContainer::find(engine.run_directory(id));
  if (!live) return false;
  const ContainerConfig config = engine.load_config(id);
  const sys::UniqueFd init = sys::open_process(live->pids().init);
  if (init) {
    const int seconds = timeout_seconds.value_or(static_cast<int>(config.stop_timeout));
    if (seconds != 0) send(init, parse_signal(config.stop_signal).value_or(SIGTERM), id);
    if (seconds == 0 || !sys::wait_process(init.get(), milliseconds(seconds))) {
      if (seconds != 0) {
        engine.warn(concat("StopSignal ", config.stop_signal, " failed to stop container ", config.name,
                           " in ", seconds, " seconds, resorting to SIGKILL"));
      }
      send(init, SIGKILL, id);
      sys::wait_process(init.get(), -1);
    }
  }
  live->wait_for_end();
  return true;
}

void kill(const Engine& engine, const std::string& id, int signal) {
  const auto live = LiveContainer::find(engine.run_directory(id));
  const sys::UniqueFd init = live ? sys::open_process(live->pids().init) : sys::UniqueFd();
  if (!init) throw not_running(engine, id, "kill");
  send(init, signal, id);
  if (signal == SIGKILL) live->wait_for_end();
}

int wait(const Engine& engine, const std::string& id, const WaitOptions& options) {
  const auto wants = [&](WaitCondition condition) {
    return std::find(options.conditions.begin(), options.conditions.end(), condition) !=
           options.conditions.end();
  };
  // Opened now: with --rm the record is gone by the time the exit is known, the open file is not.
  const sys::UniqueFd summary = sys::find_at(AT_FDCWD, engine.containers().path(id) + "/summary", O_RDONLY);
  if (options.conditions.empty() || wants(WaitCondition::stopped)) {
    if (const auto live = LiveContainer::find(engine.run_directory(id))) live->wait_for_end();
    return recorded_exit_code(summary.get());
  }
  for (;;) {
    const bool exists = engine.containers().find_id(id).has_value();
    if (!exists && !wants(WaitCondition::removed))
      throw NotFound(concat("container ", id.substr(0, 12), " was removed"));
    const State state = exists ? engine.status(id).state : State::removing;
    if ((!exists && wants(WaitCondition::removed)) ||
        (wants(WaitCondition::running) && state == State::running) ||
        (wants(WaitCondition::created) && state == State::created)) {
      return -1;
    }
    // No event tells a file lock; these conditions are waited for by scripts, not on a hot path.
    ::poll(nullptr, 0, static_cast<int>(options.interval_ms));
  }
}

}  // namespace knarr::engine
