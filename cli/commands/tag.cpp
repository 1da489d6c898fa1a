// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/text.h"
#include "engine/images.h"
#include "rootless/sys/error.h"
#include "storage/image/manifest_list.h"
#include "storage/reference.h"

namespace knarr::cli {

namespace {

std::vector<storage::Reference> new_names(const Arguments& arguments) {
  std::vector<storage::Reference> names;
  for (std::size_t i = 1; i < arguments.positional().size(); ++i) {
    names.push_back(storage::normalize(storage::parse_reference(arguments.at(i))));
    if (names.back().digest) throw InvalidArgument(concat("tag by digest not supported: ", arguments.at(i)));
  }
  return names;
}

// What the text means when it is no image's name. A name comes before the beginning of an id.
std::optional<storage::ManifestList> find_list(const engine::Engine& engine, const std::string& text) {
  if (engine.images().find_record(text)) return std::nullopt;
  return storage::ManifestListStore(engine.store()).find_list(text);
}

int run_tag(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::vector<storage::Reference> names = new_names(arguments);
  if (const auto list = find_list(engine, arguments.at(0))) {
    for (const storage::Reference& name : names)
      storage::ManifestListStore(engine.store()).tag_list(*list, name);
    return 0;
  }
  const storage::Image image = engine::get_image(engine, arguments.at(0));
  engine::require_writable(image, "tag");
  for (const storage::Reference& name : names) engine.images().tag_image(image, name);
  return 0;
}

// Without names, all of what is untagged. `full_name` of a name that is not its own: nothing.
using FullName = std::function<std::optional<std::string>(const std::string&)>;
std::vector<std::string> names_to_remove(const std::vector<std::string>& all, const Arguments& arguments,
                                         const FullName& full_name) {
  if (arguments.positional().size() == 1) return all;
  std::vector<std::string> names;
  for (std::size_t i = 1; i < arguments.positional().size(); ++i) {
    const auto name = full_name(arguments.at(i));
    if (!name || !contains(all, *name)) throw NotFound(concat(arguments.at(i), ": tag not known"));
    names.push_back(*name);
  }
  return names;
}

std::vector<std::string> names_to_remove(const engine::Engine& engine, const Arguments& arguments) {
  if (const auto list = find_list(engine, arguments.at(0))) {
    const storage::ManifestListStore lists(engine.store());
    return names_to_remove(list->names, arguments,
                           [&](const std::string& text) { return lists.resolve_name(text); });
  }
  const storage::Image image = engine::get_image(engine, arguments.at(0));
  engine::require_writable(image, "untag");
  return names_to_remove(image.names, arguments,
                         [&](const std::string& text) { return engine.images().resolve_name(text); });
}

int run_untag(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  for (const std::string& name : names_to_remove(engine, arguments)) {
    engine.images().untag_name(storage::parse_reference(name));
  }
  return 0;
}

}  // namespace

constinit const Verb tag_verb = {
    .paths = {"tag", "image tag"},
    .usage = "IMAGE NAME [NAME...]",
    .summary = "Give an image another name",
    .examples = "tag debian:12 localhost/base:1",
    .min_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_tag,
};

constinit const Verb untag_verb = {
    .paths = {"untag", "image untag"},
    .usage = "IMAGE [NAME...]",
    .summary = "Take names from an image",
    .description = "Without a name, takes all of them; the image stays.",
    .examples = "untag debian:12\nuntag debian:12 localhost/base:1",
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .run = run_untag,
};

}  // namespace knarr::cli
