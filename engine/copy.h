// SPDX-License-Identifier: Apache-2.0
// `cp` between a container and the host, or two containers.
#pragma once

#include <string>

#include "engine/engine.h"

namespace knarr::engine {

struct CopyEnd {
  std::string container_id;  // full id; empty: the host
  std::string path;          // a trailing "/." means the directory's content
};

struct CopyOptions {
  // What goes into a container belongs to its user; otherwise to whom it belonged. What comes to the host
  // belongs to the caller in any case.
  bool give_to_user = true;
  bool replace_other_kinds = false;  // let files and directories replace each other
};

// Moves this process into R and a mount namespace of its own, so it is the last thing the process does. Paths
// in a container are resolved inside its root, whatever its processes do meanwhile. A link given as the
// source is followed.
void copy(const Engine& engine, const CopyEnd& source, const CopyEnd& destination,
          const CopyOptions& options);

}  // namespace knarr::engine
