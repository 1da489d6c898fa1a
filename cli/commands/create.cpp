// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_flags.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/missing_image.h"
#include "cli/commands/verbs.h"
#include "cli/errors.h"

namespace knarr::cli {

namespace {

constexpr auto create_only_flags = std::to_array<Flag>({
    text_flag("init-ctr", 0, "KIND", "Make it an init container of its pod").not_yet(),
});
constexpr auto flags = join_flags(container_flags, create_only_flags);
static_assert(is_well_formed(flags));

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::optional<std::string> image = obtain_image(engine, invocation, arguments);
  if (!image) return engine_failure;
  invocation.out.line(engine::create(engine, make_create_options(invocation, arguments, engine, *image)));
  return 0;
}

}  // namespace

constinit const Verb create_verb = {
    .paths = {"create", "container create"},
    .usage = "[options] IMAGE [COMMAND [ARG...]]",
    .summary = "Make a container without starting it",
    .examples = "create --name web debian:12 sleep infinity",
    .flags = flags,
    .interspersed = false,
    .min_arguments = 1,
    .completion = Completion::image_then_files,
    .run = run,
};

}  // namespace knarr::cli
