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
  std::string user_name;  // by getpwuid(3); the number when there is no entry
  std::string home;       // $HOME, else from the password database
  // Real root in the initial user namespace. Everything else is rootless, `unshare -r` included.
  bool rootful = false;
  // Effective uid 0 with CAP_SYS_ADMIN inside a user namespace that somebody else made: it serves as R.
  bool inside_user_namespace = false;
  // The map of R, the user's shared user namespace, as container ids see it: ids in R start at 0.
  IdMaps r_maps;
  bool cgroup_v2_only = false;
};

HostFacts gather_host_facts();

}  // namespace knarr::rootless
