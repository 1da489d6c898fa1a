// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/errors.h"
#include "engine/network/engine_netns.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("rootless-netns", 0, "Join the network namespace of rootless networks"),
});

std::vector<std::string> command_to_run(const Arguments& arguments) {
  if (!arguments.positional().empty()) return arguments.positional();
  const char* shell = std::getenv("SHELL");
  return {shell != nullptr && *shell != '\0' ? shell : "/bin/sh"};
}

[[noreturn]] void replace_process(std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  throw_errno("running ", command.front());
}

// Until the command and what it starts have ended, its bridges are there. The descriptor stays open in the
// command: others may join through it.
void join_engine_netns(const engine::Engine& engine) {
  if (engine.host().rootful)
    throw InvalidArgument("--rootless-netns: networks of root are in the host's own namespace");
  const engine::NetworkPlace place{engine.paths().run_root};
  const sys::Lock lock = engine::lock_networks(place);
  const int netns = engine::hold_engine_netns(place).release();
  ::fcntl(netns, F_SETFD, 0);
  if (::setns(netns, CLONE_NEWNET) < 0) throw_errno("joining the network namespace of rootless networks");
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  std::vector<std::string> command = command_to_run(arguments);
  engine.enter_r();
  if (arguments.boolean("rootless-netns")) join_engine_netns(engine);
  // Mounts that the command makes end with it.
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace");
  ::setenv("CONTAINERS_GRAPHROOT", engine.paths().store_root.c_str(), 1);
  ::setenv("CONTAINERS_RUNROOT", engine.paths().run_root.c_str(), 1);
  try {
    replace_process(command);
  } catch (const SysError& error) {
    invocation.out.flush();
    print_error(error);
    return error.code() == ENOENT ? 127 : 126;
  }
}

}  // namespace

constinit const Verb unshare_verb = {
    .paths = {"unshare"},
    .usage = "[options] [COMMAND [ARG...]]",
    .summary = "Run a command in the engine's user namespace",
    .description =
        "There, 0 is the user and 1 and up are the subordinate IDs. Without a command, runs $SHELL.",
    .examples = "unshare id\nunshare rm -rf ~/build-as-root",
    .flags = flags,
    .interspersed = false,
    .topic = Topic::engine,
    .completion = Completion::files,
    .run = run,
};

}  // namespace knarr::cli
