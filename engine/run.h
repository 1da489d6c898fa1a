// SPDX-License-Identifier: Apache-2.0
// `run` and `create`.
#pragma once

#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/request.h"

namespace knarr::engine {

struct CreateOptions {
  CreateRequest request;
  bool replace = false;    // --replace: remove a container of that name first
  bool transient = false;  // made by `run --rm`: worthless once its command and monitor are gone
};

// Makes the record; nothing runs yet. Returns the full id. Throws NotFound for an unknown image, Conflict for
// a taken name, InvalidArgument for what the user got wrong.
std::string create(const Engine& engine, const CreateOptions& options);

// Which of the caller's standard streams a foreground container gets (-a); all by default.
struct Streams {
  bool input = true, output = true, error = true;
};

struct RunOptions {
  CreateOptions create;
  bool detach = false;
  Streams streams;
  std::string detach_keys = "ctrl-p,ctrl-q";
  bool signal_proxy = true;
};

struct RunResult {
  std::string id;
  std::optional<int> exit_code;  // nullopt: detached (by -d or by the detach keys)
};

RunResult run(const Engine& engine, const RunOptions& options);

}  // namespace knarr::engine
