// SPDX-License-Identifier: Apache-2.0
// Facts about the caller and the machine, gathered once; planners take them as an argument.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "rootless/id_map.h"

namespace knarr::rootless {

struct HostFacts {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user_name;  // by find_user; the number when there is no entry
  std::string home;       // $HOME, else from the password database
  // Real root in the initial user namespace. Everything else is rootless, `unshare -r` included.
  bool rootful = false;
  // Effective uid 0 with CAP_SYS_ADMIN inside a user namespace that somebody else made: it serves as R.
  bool inside_user_namespace = false;
  // The map of R, the user's shared user namespace, as container ids see it: ids in R start at 0.
  IdMaps r_maps;
  bool cgroup_v2_only = false;
  // newuidmap(1) and newgidmap(1), absolute. Empty when they are missing or could not gain privilege here, or
  // when they are not needed; then r_maps has one id.
  std::string newuidmap;
  std::string newgidmap;
};

HostFacts gather_host_facts();

// The two questions about this process alone, answered now (gather_host_facts keeps the answers).
bool is_rootful();
bool is_root_in_user_namespace();

// $HOME if absolute, else the home directory in the password database, else empty.
std::string home_directory();

// The user's id outside the innermost user namespace: in one it differs from geteuid(2). Names what must be
// found again from inside and outside of R.
uid_t outermost_known_uid();

}  // namespace knarr::rootless
