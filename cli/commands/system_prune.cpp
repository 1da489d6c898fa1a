// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/confirm.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/image_removal.h"
#include "cli/commands/selection.h"
#include "cli/commands/unused.h"
#include "cli/commands/verbs.h"
#include "cli/commands/volume_view.h"
#include "cli/units.h"
#include "engine/container_size.h"
#include "engine/lifecycle.h"
#include "engine/measure.h"
#include "engine/trash.h"
#include "storage/layer/layer.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Remove all images that no container uses, not only those without a name"),
    toggle("build", 0, "Remove what ended builds left").not_yet(),
    toggle("external", 0, "Remove only what ended commands left and nothing refers to"),
    array_flag("filter", 0, "NAME=VALUE", "Remove only those that match: label=, label!=, until="),
    toggle("force", 'f', "Do not ask"),
    toggle("volumes", 0, "Remove volumes that no container uses, too"),
});
static_assert(is_well_formed(flags));

struct Wish {
  std::vector<std::string> filter_texts;
  Filters filters;
  bool all = false;
  bool volumes = false;
};

std::string make_warning(const Wish& wish) {
  std::string text =
      "WARNING! This command removes:\n"
      "\t- all stopped containers\n";
  if (wish.volumes) text += "\t- all volumes not used by at least one container\n";
  text += wish.all ? "\t- all images without at least one container associated with them\n"
                   : "\t- all dangling images\n";
  return text + "\t- what ended commands left behind\n";
}

// Of all layers; a layer's record knows its size.
std::uint64_t layer_bytes(const storage::Store& store) {
  std::uint64_t bytes = 0;
  const storage::LayerStore layers(store);
  for (const std::string& hex : sys::list_directory(store.fd(), "layers")) {
    const auto digest = storage::parse_digest(concat(hex.size() == 128 ? "sha512:" : "sha256:", hex));
    try {
      const auto meta = digest ? layers.find_layer(*digest) : std::nullopt;
      if (meta) bytes += meta->tree_bytes;
    } catch (const Error&) {
      // Damaged; what cannot be known is not counted.
    }
  }
  return bytes;
}

// Removes things, each kind under its heading, and counts the bytes.
class Pruner {
 public:
  Pruner(const engine::Engine& engine, Output& out)
      : engine_(engine), out_(out), layers_before_(layer_bytes(engine.store())) {
    for (const auto& copy : engine.images().list_mapped_copies()) copies_.push_back(copy.path);
    copy_bytes_ = engine::measure_in_store(engine, copies_);
    // Before this command adds to it, and has it deleted.
    for (const std::uint64_t bytes :
         engine::measure_in_store(engine, engine.store().find_garbage(storage::Store::Downloads::all)))
      reclaimed_ += bytes;
  }

  void prune_containers(const Filters& filters) {
    std::vector<std::string> ids;
    for (const ListedContainer& container : unused_containers(engine_, filters))
      ids.push_back(container.summary.id);
    const auto sizes = engine::measure_containers(engine_, ids);
    remove_each("Deleted Containers", ids, [&](const std::string& id) {
      engine::remove(engine_, id, {});
      const auto size = sizes.find(id);
      return size == sizes.end() ? 0 : size->second.written;
    });
  }

  void prune_volumes(const std::vector<std::string>& filters) {
    std::vector<std::string> names, paths;
    for (const storage::Volume& volume : unused_volumes(engine_, filters, true)) {
      names.push_back(volume.name);
      paths.push_back(concat("volumes/", volume.name, "/_data"));
    }
    const std::vector<std::uint64_t> sizes = engine::measure_in_store(engine_, paths);
    auto size = sizes.begin();
    remove_each("Deleted Volumes", names, [&](const std::string& name) {
      const std::uint64_t bytes = *size++;
      remove_volume(engine_, name, false, std::nullopt);
      return bytes;
    });
  }

  void prune_images(const Filters& filters, bool all) {
    std::vector<std::string> ids;
    for (const storage::Image& image : unused_images(engine_, filters, all)) ids.push_back(image.id);
    remove_each("Deleted Images", ids, [&](const std::string& id) {
      remove_unused_image(engine_, engine_.images().get_image(id));
      return std::uint64_t{0};  // sweep() counts the layers
    });
  }

  // What no record refers to and no process holds.
  void sweep() {
    engine_.images().remove_unreferenced();
    reclaimed_ += layers_before_ - std::min(layers_before_, layer_bytes(engine_.store()));
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      if (!sys::stat_at(engine_.store().fd(), copies_[i], AT_SYMLINK_NOFOLLOW)) reclaimed_ += copy_bytes_[i];
    }
    engine_.store().trash_garbage(storage::Store::Downloads::all);
    engine::empty_trash_in_background(engine_);
  }

  std::uint64_t reclaimed() const { return reclaimed_; }
  int status() const { return status_; }

 private:
  // `remove` returns the bytes that it freed.
  template <typename Remove>
  void remove_each(std::string_view heading, const std::vector<std::string>& names, const Remove& remove) {
    if (names.empty()) return;
    out_.line(heading);
    std::vector<Chosen> chosen;
    for (const std::string& name : names) chosen.push_back({name, name});
    const int status = act_on_each(out_, chosen, [&](const Chosen& one) -> std::string {
      try {
        reclaimed_ += remove(one.id);
        return one.id;
      } catch (const Conflict&) {
        return "";  // in use since we looked
      } catch (const NotFound&) {
        return "";  // removed meanwhile
      }
    });
    if (status != 0) status_ = status;
  }

  const engine::Engine& engine_;
  Output& out_;
  const std::uint64_t layers_before_;
  std::vector<std::string> copies_;  // of images, for other id maps, when the command started
  std::vector<std::uint64_t> copy_bytes_;
  std::uint64_t reclaimed_ = 0;
  int status_ = 0;
};

Wish make_wish(const Arguments& arguments) {
  Wish wish{.filter_texts = arguments.list("filter"),
            .filters = parse_filters(arguments.list("filter"), prune_filters),
            .all = arguments.boolean("all"),
            .volumes = arguments.boolean("volumes")};
  if (arguments.boolean("external") && (wish.all || wish.volumes || !wish.filters.empty()))
    throw UsageError("--external cannot be combined with other options");
  return wish;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const Wish wish = make_wish(arguments);
  const bool external = arguments.boolean("external");
  const engine::Engine engine = open_engine(invocation);
  if (!arguments.boolean("force") && !external && !confirm(invocation.out, make_warning(wish))) return 0;
  Pruner pruner(engine, invocation.out);
  if (!external) {
    pruner.prune_containers(wish.filters);
    if (wish.volumes) pruner.prune_volumes(wish.filter_texts);
    pruner.prune_images(wish.filters, wish.all);
  }
  pruner.sweep();
  invocation.out.line("Total reclaimed space: ", compact_size(pruner.reclaimed()));
  return pruner.status();
}

}  // namespace

constinit const Verb system_prune_verb = {
    .paths = {"system prune"},
    .usage = "[options]",
    .summary = "Remove what no container uses",
    .description =
        "Removes containers that do not run, images without a name (with --all: those without a container),\n"
        "with --volumes the volumes of no container, and always what ended commands left behind: layers and\n"
        "blobs of no image, half-made things, the beginnings of downloads.",
    .examples = "system prune -f\nsystem prune --all --volumes --filter until=24h",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = run,
};

}  // namespace knarr::cli
