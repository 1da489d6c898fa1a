// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/adopt.h"

#include <functional>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/store_verbs.h"
#include "cli/errors.h"
#include "cli/log.h"
#include "cli/table.h"
#include "cli/text.h"
#include "storage/foreign/storage_conf.h"
#include "storage/layer/unpack.h"

namespace knarr::cli {

namespace {

std::string name_of(const storage::ForeignImage& image) {
  return image.names.empty() ? short_id(image.id) : image.names.front();
}

// "localhost/web:1: 3 layers, 2 of them new"
std::string describe(const storage::AdoptedImage& adopted) {
  const std::size_t layers = adopted.image.layers.size();
  const std::string name =
      adopted.image.names.empty() ? short_id(adopted.image.id) : join(adopted.image.names, ", ");
  if (adopted.was_here) return concat("Already here: ", name);
  std::string text = concat("Adopted image: ", name, " (", layers, layers == 1 ? " layer, " : " layers, ",
                            adopted.new_layers, " new");
  if (adopted.copied_files > 0) text += concat("; ", adopted.copied_files, " files copied, not linked");
  return text + ")";
}

void report(const Invocation& invocation, const storage::AdoptedImage& adopted, bool quiet) {
  for (const std::string& name : adopted.kept_names)
    log_warning(concat(name, " means another image here and goes on doing so"));
  invocation.out.line(quiet ? adopted.image.id : describe(adopted));
}

class Adoption {
 public:
  Adoption(const Invocation& invocation, const storage::Store& store, const storage::ForeignStore& source,
           bool quiet)
      : invocation_(invocation), store_(store), source_(source), quiet_(quiet) {}

  // One that cannot be had does not keep the others from coming.
  void attempt(const std::string& name, const std::function<const storage::ForeignImage&()>& choose) {
    try {
      const storage::AdoptedImage adopted =
          with_context(concat("adopting ", name), [&] { return adopt_image(store_, source_, choose()); });
      report(invocation_, adopted, quiet_);
      layers_.insert(layers_.end(), adopted.image.layers.begin(), adopted.image.layers.end());
    } catch (const Error& error) {
      invocation_.out.flush();
      print_error(error);
      failed_ = true;
    }
  }

  int finish() const {
    if (!layers_.empty()) storage::settle_layers(store_, layers_, storage::Settling::in_background);
    return failed_ ? engine_failure : 0;
  }

 private:
  const Invocation& invocation_;
  const storage::Store& store_;
  const storage::ForeignStore& source_;
  bool quiet_;
  std::vector<storage::Digest> layers_;
  bool failed_ = false;
};

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::string root =
      arguments.given("from") ? arguments.text("from") : storage::find_foreign_places(engine.host()).root;
  engine.enter_r();
  storage::uncover_trees(root);
  const storage::Store store = storage::Store::open(engine.store().root());
  const storage::ForeignStore source = storage::ForeignStore::open(root);
  for (const std::string& damage : source.damage()) log_warning(damage);
  Adoption adoption(invocation, store, source, arguments.boolean("quiet"));
  for (const std::string& name : arguments.positional()) {
    adoption.attempt(
        name, [&]() -> const storage::ForeignImage& { return storage::choose_foreign_image(source, name); });
  }
  if (arguments.positional().empty()) {
    for (const storage::ForeignImage& image : source.images()) {
      adoption.attempt(name_of(image), [&]() -> const storage::ForeignImage& { return image; });
    }
  }
  return adoption.finish();
}

}  // namespace

constinit const Verb adopt_verb = implement(adopt_description, run);

}  // namespace knarr::cli
