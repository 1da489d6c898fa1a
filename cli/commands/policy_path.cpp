// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/policy_path.h"

#include <limits.h>
#include <stdlib.h>

#include "rootless/sys/error.h"

namespace knarr::cli {

std::string policy_path(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) throw_errno("opening ", path);
  return resolved;
}

}  // namespace knarr::cli
