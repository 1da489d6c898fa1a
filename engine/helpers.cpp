// SPDX-License-Identifier: Apache-2.0
#include "engine/helpers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "engine/launch/self_protect.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

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

sys::ExitStatus run_helper(const std::string& name, const std::vector<std::string>& argv, std::string* output,
                           HelperInput input) {
  const std::string path = helper_path(name);
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  sys::UniqueFd printed;
  if (output != nullptr) {
    printed.reset(::memfd_create("output", MFD_CLOEXEC));
    if (!printed) throw_errno("making room for the output of ", path);
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
  // What somebody has piped in is the container's.
  if (input == HelperInput::none || ::isatty(STDIN_FILENO) == 0)
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDIN_FILENO);
  if (printed) ::posix_spawn_file_actions_adddup2(&actions, printed.get(), STDOUT_FILENO);
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw_sys_error(code, concat("running ", path));
  const sys::ExitStatus status = sys::wait_child(pid);
  if (output != nullptr) *output = sys::read_file(AT_FDCWD, concat("/proc/self/fd/", printed.get()));
  return status;
}

}  // namespace knarr::engine
