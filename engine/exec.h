// SPDX-License-Identifier: Apache-2.0
// `exec`: another process in a running container.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace knarr::engine {

struct ExecRequest {
  std::string id;
  std::vector<std::string> command;
  std::vector<std::string> env;  // NAME=VALUE, resolved; after the container's own
  std::string user;              // empty: the container's
  std::string working_dir;       // empty: the container's
  bool terminal = false;
  bool interactive = false;
  bool detach = false;
  bool privileged = false;
  unsigned preserve_fds = 0;
  std::string detach_keys = "ctrl-p,ctrl-q";
};

struct ExecResult {
  std::optional<int> exit_code;  // nullopt: detached
  pid_t pid = 0;
};

// Conflict when the container does not run.
ExecResult exec(const Engine& engine, const ExecRequest& request);

}  // namespace knarr::engine
