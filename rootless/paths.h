// SPDX-License-Identifier: Apache-2.0
// Where this user's engine keeps its files.
#pragma once

#include <sys/types.h>

#include <string>

namespace knarr::rootless {

struct Paths {
  // Images, layers, containers, volumes. --root, else /var/lib/knarr (rootful) or $XDG_DATA_HOME/knarr,
  // by default ~/.local/share/knarr.
  std::string store_root;
  // What must not outlive a boot. --runroot, else /run/knarr (rootful) or $XDG_RUNTIME_DIR/knarr; without a
  // usable XDG_RUNTIME_DIR a private directory /tmp/knarr-run-UID, checked for owner and mode.
  std::string run_root;
};

struct PathOptions {
  std::string root;     // --root; empty: not given
  std::string runroot;  // --runroot
};

// Decides the paths and makes the two directories, mode 0700. Throws when neither place can be made.
Paths prepare_paths(const PathOptions& options);

}  // namespace knarr::rootless
