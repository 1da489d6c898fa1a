// SPDX-License-Identifier: Apache-2.0
#include "cli/helper_program.h"

#include <unistd.h>

#include "engine/helpers.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

void run_helper(std::string_view helper, const std::vector<std::string>& argv) {
  const std::string path = engine::helper_path(std::string(helper));
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::execv(path.c_str(), pointers.data());
  throw_errno("running ", path);
}

}  // namespace knarr::cli
