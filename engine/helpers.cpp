// SPDX-License-Identifier: Apache-2.0
#include "engine/helpers.h"

#include <unistd.h>

#include <cstdlib>

#include "engine/launch/self_protect.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

std::string own_directory() {
  const std::string program = own_program_path();
  return program.substr(0, program.rfind('/'));
}

bool is_program(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string helper_path(const std::string& name) {
  if (const char* directory = std::getenv("KNARR_LIBEXEC_DIR")) return concat(directory, "/", name);
  const std::string beside = concat(own_directory(), "/", name);
  if (is_program(beside)) return beside;
  const std::string installed = concat(KNARR_LIBEXEC_DIR, "/", name);
  if (is_program(installed)) return installed;
  throw NotFound(concat("the helper program ", name, " is neither at ", beside, " nor at ", installed));
}

}  // namespace knarr::engine
