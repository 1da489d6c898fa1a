// SPDX-License-Identifier: Apache-2.0
// The verbs that act on one existing container, by full id (Engine::containers().get_id()).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/run.h"

namespace knarr::engine {

struct StartOptions {
  bool attach = false;
  bool interactive = false;
  std::string detach_keys = "ctrl-p,ctrl-q";
  bool signal_proxy = true;
};
// Starting a running container does nothing, as in podman; with attach it attaches. Returns the exit code
// when attached until the end.
std::optional<int> start(const Engine& engine, const std::string& id, const StartOptions& options);

// The stop signal, then SIGKILL after the timeout (seconds; nullopt: the container's own; -1: never). Returns
// false when it was not running.
bool stop(const Engine& engine, const std::string& id, std::optional<int> timeout_seconds);
// Conflict when it is not running. With signal 0 only that is checked.
void kill(const Engine& engine, const std::string& id, int signal);
void restart(const Engine& engine, const std::string& id, std::optional<int> timeout_seconds);

enum class WaitCondition { stopped, running, removed, created };
struct WaitOptions {
  std::vector<WaitCondition> conditions;  // any of them; empty: stopped
  unsigned interval_ms = 250;             // how often the conditions other than `stopped` are looked at
};
// Blocks; the exit code for `stopped` (at once when it is not running), -1 for the others.
int wait(const Engine& engine, const std::string& id, const WaitOptions& options);

struct RemoveOptions {
  bool force = false;    // stop it first
  bool volumes = false;  // and its anonymous volumes
  std::optional<int> timeout_seconds;
};
// Conflict when it runs and force is not given.
void remove(const Engine& engine, const std::string& id, const RemoveOptions& options);
void rename(const Engine& engine, const std::string& id, const std::string& new_name);

struct AttachOptions {
  bool input = true;
  std::string detach_keys = "ctrl-p,ctrl-q";
  bool signal_proxy = true;
};
// To a running container; the exit code, nullopt after the detach keys.
std::optional<int> attach(const Engine& engine, const std::string& id, const AttachOptions& options);

// The processes of a running container: a header and rows, by ps(1)-like descriptors ("user", "pid", "ppid",
// "pcpu", "etime", "tty", "time", "args", "comm", "hpid", "huser", "state", "nice", "vsz", "rss"); empty:
// podman's default columns.
struct ProcessTable {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;
};
ProcessTable top(const Engine& engine, const std::string& id, const std::vector<std::string>& descriptors);

// What a crash left behind: containers of `run --rm` whose command and monitor are dead, run directories and
// processes of dead monitors, trash. Cheap when there is nothing.
void repair(const Engine& engine);

}  // namespace knarr::engine
