// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/program.h"

#include <unistd.h>

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::sys {

std::string find_program(const std::string& name, std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string candidate = concat(path.substr(0, end), '/', name);
    if (path.front() == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return {};
}

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** variable = ::environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

}  // namespace knarr::sys
