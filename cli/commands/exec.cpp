// SPDX-License-Identifier: Apache-2.0
#include "engine/exec.h"

#include <unistd.h>

#include "cli/commands/engine_access.h"
#include "cli/commands/host_files.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "engine/launch/self_protect.h"
#include "engine/request/environment.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    text_flag("cidfile", 0, "FILE", "Read the container's ID from a file").completed_by(Completion::files),
    toggle("detach", 'd', "Run in the background"),
    text_flag("detach-keys", 0, "KEYS", "Keys that leave the process running").with_default("ctrl-p,ctrl-q"),
    array_flag("env", 'e', "NAME=VALUE", "Set a variable; NAME alone takes it from here"),
    array_flag("env-file", 0, "FILE", "Read variables from a file").completed_by(Completion::files),
    toggle("interactive", 'i', "Pass standard input on"),
    latest_flag,
    toggle("no-session", 0, "Keep no record of the process"),
    list_flag("preserve-fd", 0, "FD", "Pass on certain file descriptors").not_yet(),
    natural_flag("preserve-fds", 0, "COUNT", "Pass on that many file descriptors from 3 on"),
    toggle("privileged", 0, "Give the process all capabilities it may have"),
    toggle("tty", 't', "Give the process a terminal"),
    text_flag("user", 'u', "USER[:GROUP]", "User to run as, by name or number"),
    text_flag("workdir", 'w', "DIR", "Working directory in the container"),
});
static_assert(is_well_formed(flags));

// The files first, then the flags, which win.
std::vector<std::string> make_environment(const Arguments& arguments) {
  const std::vector<std::string> host = host_environment();
  engine::Environment environment;
  for (const engine::TextFile& file : read_text_files(arguments.list("env-file"))) {
    for (const std::string& entry : engine::parse_env_file(file)) {
      engine::apply_user_entry(environment, entry, host, "env-file");
    }
  }
  for (const std::string& entry : arguments.list("env")) {
    engine::apply_user_entry(environment, entry, host, "env");
  }
  return environment.entries();
}

int run(const Invocation& invocation, const Arguments& arguments) {
  engine::protect_own_binary(invocation.argv);
  // With --cidfile and --latest all words are the command.
  const bool named = !arguments.given("cidfile") && !arguments.boolean("latest");
  std::vector<std::string> words = arguments.positional();
  if (words.size() < (named ? 2u : 1u)) throw UsageError("you must provide a command to run");
  const engine::Engine engine = open_engine(invocation);
  engine::ExecRequest request;
  if (arguments.given("cidfile")) {
    request.id = engine.containers().get_id(read_id_file(arguments.text("cidfile")));
  } else {
    request.id = choose_one(engine, arguments);
  }
  if (named) words.erase(words.begin());
  request.command = std::move(words);
  request.env = make_environment(arguments);
  request.user = arguments.text("user");
  request.working_dir = arguments.text("workdir");
  request.terminal = arguments.boolean("tty");
  request.interactive = arguments.boolean("interactive");
  request.detach = arguments.boolean("detach");
  request.privileged = arguments.boolean("privileged");
  request.preserve_fds = static_cast<unsigned>(arguments.integer("preserve-fds"));
  request.detach_keys = arguments.text("detach-keys");
  return engine::exec(engine, request).exit_code.value_or(0);
}

}  // namespace

constinit const Verb exec_verb = {
    .paths = {"exec", "container exec"},
    .usage = "[options] CONTAINER COMMAND [ARG...]",
    .summary = "Run a command in a running container",
    .examples = "exec -it web sh\nexec -u root -w /tmp web ls",
    .flags = flags,
    .interspersed = false,
    .min_arguments = 1,
    .completion = Completion::container_then_files,
    .run = run,
};

}  // namespace knarr::cli
