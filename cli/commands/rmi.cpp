// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/image_removal.h"
#include "cli/commands/verbs.h"
#include "cli/errors.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove all images"),
    toggle("force", 'f', "Remove containers that use them, too"),
    toggle("ignore", 'i', "Do not mind images that do not exist"),
    toggle("no-prune", 0, "Keep the images without a name that a removed one was made of"),
});
static_assert(is_well_formed(flags));

void print_removed(Output& out, const RemovedImage& removed) {
  for (const std::string& name : removed.untagged) out.line("Untagged: ", name);
  for (const std::string& id : removed.deleted) out.line("Deleted: ", id);
}

// What scripts tell apart: an image in use counts most, one that is not there least.
int worse_status(int status, int failure) {
  for (const int grave : {2, static_cast<int>(engine_failure), 1}) {
    if (status == grave || failure == grave) return grave;
  }
  return failure;
}

// Acts on each; a failure is printed, and the others still get their turn.
template <typename Items, typename Remove>
int remove_each(Output& out, const Items& items, bool ignore_missing, const Remove& remove) {
  int status = 0;
  const auto report = [&](const Error& error, int failure) {
    out.flush();
    print_error(error);
    status = worse_status(status, failure);
  };
  for (const auto& item : items) {
    try {
      print_removed(out, remove(item));
    } catch (const NotFound& error) {
      if (!ignore_missing) report(error, 1);
    } catch (const Conflict& error) {
      report(error, 2);
    } catch (const Error& error) {
      report(error, engine_failure);
    }
  }
  return status;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const bool force = arguments.boolean("force");
  const ImageRemoval removal{.force = force, .parents = !arguments.boolean("no-prune")};
  const bool ignore = force || arguments.boolean("ignore");
  const bool all = arguments.boolean("all");
  if (all && !arguments.positional().empty()) throw UsageError("no names are allowed with --all");
  if (!all && arguments.positional().empty()) throw UsageError("image name or ID must be specified");
  const engine::Engine engine = open_engine(invocation);
  if (all) {
    const int lists =
        remove_each(invocation.out, storage::ManifestListStore(engine.store()).list_lists(), true,
                    [&](const storage::ManifestList& list) { return remove_list(engine, list); });
    const int images =
        remove_each(invocation.out, engine.images().list_images(), true,
                    [&](const storage::Image& image) { return remove_whole_image(engine, image, removal); });
    return worse_status(lists, images);
  }
  return remove_each(invocation.out, arguments.positional(), ignore,
                     [&](const std::string& name) { return remove_image(engine, name, removal); });
}

}  // namespace

constinit const Verb rmi_verb = {
    .paths = {"rmi", "image rm", "image remove"},
    .usage = "[options] IMAGE [IMAGE...]",
    .summary = "Remove images",
    .description =
        "A name is taken away; with its last name an image goes, or a manifest list: not its images.\n"
        "Exits with 1 when an image does not exist, with 2 when a container uses one.",
    .examples = "rmi debian:12\nrmi -f --all",
    .flags = flags,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run,
};

}  // namespace knarr::cli
