// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_flags.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/image_removal.h"
#include "cli/commands/missing_image.h"
#include "cli/commands/verbs.h"
#include "cli/errors.h"
#include "cli/quote.h"
#include "cli/text.h"
#include "engine/launch/self_protect.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto run_only_flags = std::to_array<Flag>({
    toggle("detach", 'd', "Run in the background and print the container's ID"),
    text_flag("detach-keys", 0, "KEYS", "Keys that leave the container running")
        .with_default("ctrl-p,ctrl-q"),
    toggle("passwd", 0, "Add the user to /etc/passwd and /etc/group").with_default("true"),
    toggle("rmi", 0, "Remove the image too when the container exits"),
    toggle("sig-proxy", 0, "Pass signals on to the container").with_default("true"),
});
constexpr auto flags = join_flags(run_only_flags, container_flags);
static_assert(is_well_formed(flags));

// -a: only the streams it names; all without it.
engine::Streams choose_streams(const Arguments& arguments) {
  engine::Streams streams;
  if (!arguments.given("attach")) return streams;
  streams = {.input = false, .output = false, .error = false};
  for (const std::string& name : arguments.list("attach")) {
    const std::string stream = lower_case(name);
    if (stream == "stdin") {
      streams.input = true;
    } else if (stream == "stdout") {
      streams.output = true;
    } else if (stream == "stderr") {
      streams.error = true;
    } else {
      throw UsageError(
          concat("invalid stream ", quote_go(name), " for --attach: expected stdin, stdout or stderr"));
    }
  }
  return streams;
}

engine::RunOptions make_run_options(const Invocation& invocation, const Arguments& arguments,
                                    const engine::Engine& engine, const std::string& image) {
  engine::RunOptions options;
  options.detach = arguments.boolean("detach");
  if (options.detach && arguments.given("attach")) throw UsageError("--attach cannot be used with --detach");
  options.streams = choose_streams(arguments);
  options.detach_keys = arguments.text("detach-keys");
  options.create = make_create_options(invocation, arguments, engine, image);
  engine::CreateRequest& request = options.create.request;
  if (arguments.given("passwd")) request.edit_passwd = arguments.boolean("passwd");
  if (arguments.boolean("rmi")) {
    if (options.detach) throw Unsupported("--rmi with --detach is not supported yet");
    request.auto_remove = true;
    request.auto_remove_image = true;
  }
  options.create.transient = request.auto_remove;
  // A terminal sends its signals to the container as characters.
  options.signal_proxy = arguments.boolean("sig-proxy") && !request.terminal;
  return options;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  engine::protect_own_binary(invocation.argv);
  const engine::Engine engine = open_engine(invocation);
  const std::optional<std::string> image = obtain_image(engine, invocation, arguments);
  if (!image) return engine_failure;
  const engine::RunResult result =
      engine::run(engine, make_run_options(invocation, arguments, engine, *image));
  if (arguments.boolean("detach")) invocation.out.line(result.id);
  return result.exit_code.value_or(0);
}

}  // namespace

constinit const Verb run_verb = {
    .paths = {"run", "container run"},
    .usage = "[options] IMAGE [COMMAND [ARG...]]",
    .summary = "Run a command in a new container",
    .examples = "run --rm -it debian:12 bash\nrun -d --name web -v \"$PWD:/srv:ro\" busybox httpd -f -h /srv",
    .flags = flags,
    .interspersed = false,
    .min_arguments = 1,
    .completion = Completion::image_then_files,
    .run = run,
};

}  // namespace knarr::cli
