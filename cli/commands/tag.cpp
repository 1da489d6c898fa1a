// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "engine/images.h"
#include "rootless/sys/error.h"
#include "storage/reference.h"

namespace knarr::cli {

namespace {

int run_tag(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::Image image = engine::get_image(engine, arguments.at(0));
  engine::require_writable(image, "tag");
  std::vector<storage::Reference> names;
  for (std::size_t i = 1; i < arguments.positional().size(); ++i) {
    names.push_back(storage::normalize(storage::parse_reference(arguments.at(i))));
    if (names.back().digest) throw InvalidArgument(concat("tag by digest not supported: ", arguments.at(i)));
  }
  for (const storage::Reference& name : names) engine.images().tag_image(image, name);
  return 0;
}

// Without names, all of the image's.
std::vector<std::string> names_to_remove(const engine::Engine& engine, const storage::Image& image,
                                         const Arguments& arguments) {
  if (arguments.positional().size() == 1) return image.names;
  std::vector<std::string> names;
  for (std::size_t i = 1; i < arguments.positional().size(); ++i) {
    const std::string& wanted = arguments.at(i);
    const auto name = engine.images().resolve_name(wanted);
    const auto other = engine.images().find_image(wanted);
    if (!name || name->empty() || !other || other->id != image.id) {
      throw NotFound(concat(wanted, ": tag not known"));
    }
    names.push_back(*name);
  }
  return names;
}

int run_untag(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::Image image = engine::get_image(engine, arguments.at(0));
  engine::require_writable(image, "untag");
  for (const std::string& name : names_to_remove(engine, image, arguments)) {
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
