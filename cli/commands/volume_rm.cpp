// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/stop_timeout.h"
#include "cli/commands/unused.h"
#include "cli/commands/verbs.h"
#include "cli/commands/volume_view.h"
#include "cli/errors.h"

namespace knarr::cli {

namespace {

constexpr auto rm_flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove all volumes"),
    toggle("force", 'f', "Remove the containers that use them, too; do not mind missing ones"),
    stop_timeout_flag,
});
static_assert(is_well_formed(rm_flags));

std::vector<std::string> choose_names(const engine::Engine& engine, const Arguments& arguments) {
  if (!arguments.boolean("all")) {
    if (arguments.positional().empty()) throw UsageError("choose at least one volume to delete");
    return arguments.positional();
  }
  if (!arguments.positional().empty()) throw UsageError("no names are allowed with --all");
  std::vector<std::string> names;
  for (const storage::Volume& volume : engine.volumes().list_volumes()) names.push_back(volume.name);
  return names;
}

int run_rm(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool force = arguments.boolean("force");
  int status = 0;
  const auto report = [&](const Error& error, int failure) {
    invocation.out.flush();
    print_error(error);
    status = failure;
  };
  for (const std::string& name : choose_names(engine, arguments)) {
    try {
      remove_volume(engine, name, force, stop_timeout(arguments));
      invocation.out.line(name);
    } catch (const NotFound& error) {
      if (!force) report(error, 1);
    } catch (const Conflict& error) {
      report(error, 2);
    } catch (const Error& error) {
      report(error, engine_failure);
    }
  }
  return status;
}

constexpr auto prune_flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove volumes with a name, too"),
    toggle("dry-run", 0, "Only show what would be removed"),
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match"),
    toggle("force", 'f', "Do not ask"),
});
static_assert(is_well_formed(prune_flags));

int run_prune(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const bool all = arguments.boolean("all");
  const bool dry_run = arguments.boolean("dry-run");
  const std::string_view warning =
      all ? "WARNING! This will remove all volumes not used by at least one container."
          : "WARNING! This will remove anonymous volumes not used by at least one container.";
  if (!arguments.boolean("force") && !dry_run && !confirm(invocation.out, warning)) return 0;
  for (const storage::Volume& volume : unused_volumes(engine, arguments.list("filter"), all)) {
    try {
      if (!dry_run) remove_volume(engine, volume.name, false, std::nullopt);
      invocation.out.line(volume.name);
    } catch (const Conflict&) {
      // A container uses it since we looked.
    } catch (const NotFound&) {
      // Removed meanwhile.
    }
  }
  return 0;
}

}  // namespace

constinit const Verb volume_rm_verb = {
    .paths = {"volume rm", "volume remove"},
    .usage = "[options] VOLUME [VOLUME...]",
    .summary = "Remove volumes",
    .description = "Exits with 1 when a volume does not exist, with 2 when a container uses one.",
    .examples = "volume rm data",
    .flags = rm_flags,
    .topic = Topic::volumes,
    .completion = Completion::volumes,
    .run = run_rm,
};

constinit const Verb volume_prune_verb = {
    .paths = {"volume prune"},
    .usage = "[options]",
    .summary = "Remove volumes that no container uses",
    .examples = "volume prune -f\nvolume prune --all --filter label=tmp",
    .flags = prune_flags,
    .max_arguments = 0,
    .topic = Topic::volumes,
    .run = run_prune,
};

}  // namespace knarr::cli
