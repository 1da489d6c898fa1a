// SPDX-License-Identifier: Apache-2.0
// Starts a process in new and joined namespaces (clone3(2), setns(2)).
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// Plain data: it crosses the fork inside the arena.
struct NamespacePlan {
  // CLONE_NEWUSER | CLONE_NEWNS | ... to make anew. CLONE_NEWTIME needs time_offsets.
  std::uint64_t create = 0;
  // Namespaces to join first, in this order: those of a process (a pidfd is opened and its start time
  // checked) or the one a file stands for (ns:PATH).
  struct Join {
    const char* path = nullptr;
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    std::uint64_t types = 0;  // CLONE_NEW*
  };
  Join joins[8] = {};
  int join_count = 0;
  const char* uid_map = nullptr;  // for CLONE_NEWUSER, written by the parent
  const char* gid_map = nullptr;
  bool deny_setgroups = false;
  const char* time_offsets = nullptr;  // content of /proc/PID/timens_offsets
};

struct Spawned {
  pid_t pid = -1;  // as the caller sees it; a direct child of the caller
  sys::UniqueFd pid_fd;
};

enum class SpawnStep : std::uint16_t { none, join, clone, uid_map, gid_map, setgroups, time_offsets };
struct SpawnFailure {
  SpawnStep step = SpawnStep::none;
  std::int32_t error = 0;
  std::int32_t index = 0;  // which join
};

// Runs `entry(argument)` in the child, which must wait for its go byte before it does anything: the maps are
// written by this call after the clone. Joins happen in a short-lived stage, so the caller's own namespaces
// stay; the child is a child of the caller all the same (CLONE_PARENT). Returns pid -1 and fills `failure`.
Spawned spawn(const NamespacePlan& plan, void (*entry)(const void*), const void* argument,
              SpawnFailure& failure);

}  // namespace knarr::engine
