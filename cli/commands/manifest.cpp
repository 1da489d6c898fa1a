// SPDX-License-Identifier: Apache-2.0
// manifest create, add, annotate, remove, rm, exists: lists in the store.
#include "cli/commands/engine_access.h"
#include "cli/commands/image_source_flags.h"
#include "cli/commands/manifest_verbs.h"
#include "cli/commands/registry_access.h"
#include "cli/errors.h"
#include "storage/image/image_documents.h"
#include "storage/image/manifest_list.h"
#include "storage/registry/remote_manifest.h"

namespace knarr::cli {

namespace {

using storage::ListEntry;
using storage::ManifestList;
using storage::ManifestListStore;

std::map<std::string, std::string> read_annotations(const Arguments& arguments) {
  std::map<std::string, std::string> annotations;
  for (const std::string& text : arguments.list("annotation")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(concat("--annotation=", text, ": expected NAME=VALUE"));
    annotations[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return annotations;
}

// What is given replaces what the image says of itself.
void apply_entry_flags(storage::Descriptor& descriptor, const Arguments& arguments) {
  const auto set = [&](const char* flag, std::string& value) {
    if (arguments.given(flag)) value = arguments.text(flag);
  };
  const auto set_list = [&](const char* flag, std::vector<std::string>& values) {
    if (arguments.given(flag)) values = arguments.list(flag);
  };
  set("arch", descriptor.architecture);
  set("os", descriptor.os);
  set("os-version", descriptor.os_version);
  set("variant", descriptor.variant);
  set_list("features", descriptor.features);
  set_list("os-features", descriptor.os_features);
  for (const auto& [name, value] : read_annotations(arguments)) descriptor.annotations[name] = value;
}

// What an argument stands for: an image or a list of this store, else what a registry has.
class EntrySource {
 public:
  EntrySource(const engine::Engine& engine, storage::RegistryAccess access, storage::Platform platform,
              bool all)
      : engine_(engine),
        access_(std::move(access)),
        config_(storage::load_registries_config(access_.places)),
        platform_(std::move(platform)),
        all_(all) {
    access_.auth.helpers = config_.credential_helpers;
  }

  std::vector<ListEntry> find(std::string name) const {
    constexpr std::string_view store_transport = "containers-storage:", docker_transport = "docker://";
    const bool is_ours = name.starts_with(store_transport);
    if (is_ours) name.erase(0, store_transport.size());
    if (!name.starts_with(docker_transport)) {
      if (const auto image = engine_.images().find_image(name))
        return {storage::describe_local_image(engine_.store(), *image)};
      if (const auto list = ManifestListStore(engine_.store()).find_list(name)) return choose(*list, name);
    }
    if (is_ours) throw NotFound(concat(name, ": image not known"));
    storage::RemoteManifest remote = storage::fetch_remote_manifest(config_, access_, name);
    return storage::list_remote_images(remote, platform_, all_);
  }

 private:
  std::vector<ListEntry> choose(const ManifestList& list, const std::string& name) const {
    if (all_) return list.entries;
    const storage::Platform wanted = storage::complete_platform(platform_);
    const ListEntry* const entry = choose_entry(list, wanted);
    if (entry == nullptr)
      throw NotFound(concat(name, " has no image for ", wanted.os, '/', wanted.architecture));
    return {*entry};
  }

  const engine::Engine& engine_;
  storage::RegistryAccess access_;
  storage::RegistriesConfig config_;
  storage::Platform platform_;
  bool all_;
};

void change_list(const ManifestListStore& lists, const ManifestList& list,
                 const std::function<void(ManifestList&)>& change) {
  lists.change_list(list.id, [&](ManifestList& changed) {
    change(changed);
    describe_index(changed);
  });
}

std::vector<ListEntry> find_all(const EntrySource& source, const Arguments& arguments) {
  std::vector<ListEntry> entries;
  for (std::size_t i = 1; i < arguments.positional().size(); ++i) {
    for (ListEntry& entry : source.find(arguments.at(i))) entries.push_back(std::move(entry));
  }
  return entries;
}

int run_create(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::Reference name = storage::parse_reference(arguments.at(0));
  const auto annotations = read_annotations(arguments);
  const EntrySource source(engine, read_registry_access(arguments), {}, arguments.boolean("all"));
  const std::vector<ListEntry> entries = find_all(source, arguments);
  engine.enter_r();
  const ManifestListStore lists(engine.store());
  std::optional<ManifestList> list;
  if (arguments.boolean("amend")) list = lists.find_list(arguments.at(0));
  if (!list) list = lists.create_list(name);
  change_list(lists, *list, [&](ManifestList& changed) {
    for (const ListEntry& entry : entries) set_entry(changed, entry);
    for (const auto& [key, value] : annotations) changed.annotations[key] = value;
  });
  invocation.out.line(list->id);
  return 0;
}

int run_add(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const ManifestListStore lists(engine.store());
  const ManifestList list = lists.get_list(arguments.at(0));
  const EntrySource source(engine, read_registry_access(arguments), read_platform(arguments),
                           arguments.boolean("all"));
  std::vector<ListEntry> entries = find_all(source, arguments);
  for (ListEntry& entry : entries) apply_entry_flags(entry.descriptor, arguments);
  engine.enter_r();
  change_list(lists, list, [&](ManifestList& changed) {
    for (const ListEntry& entry : entries) set_entry(changed, entry);
  });
  invocation.out.line(list.id);
  return 0;
}

storage::Digest digest_of_argument(const engine::Engine& engine, const std::string& text) {
  if (const auto digest = storage::parse_digest(text)) return *digest;
  if (const auto image = engine.images().find_image(text)) return image->manifest;
  throw UsageError(concat(text, " is neither a digest nor an image in the store"));
}

int run_annotate(const Invocation& invocation, const Arguments& arguments) {
  const bool is_index = arguments.boolean("index");
  if (!is_index && arguments.positional().size() < 2) throw UsageError("the digest of an image is needed");
  if (is_index && arguments.positional().size() > 1)
    throw UsageError("--index and a digest exclude each other");
  const engine::Engine engine = open_engine(invocation);
  const ManifestListStore lists(engine.store());
  const ManifestList list = lists.get_list(arguments.at(0));
  engine.enter_r();
  change_list(lists, list, [&](ManifestList& changed) {
    if (!is_index)
      return apply_entry_flags(get_entry(changed, digest_of_argument(engine, arguments.at(1))).descriptor,
                               arguments);
    for (const auto& [key, value] : read_annotations(arguments)) changed.annotations[key] = value;
  });
  invocation.out.line(list.id);
  return 0;
}

int run_remove(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const ManifestListStore lists(engine.store());
  const ManifestList list = lists.get_list(arguments.at(0));
  const storage::Digest digest = digest_of_argument(engine, arguments.at(1));
  engine.enter_r();
  change_list(lists, list, [&](ManifestList& changed) {
    static_cast<void>(get_entry(changed, digest));
    std::erase_if(changed.entries, [&](const ListEntry& entry) { return entry.descriptor.digest == digest; });
  });
  invocation.out.line(list.id);
  return 0;
}

int run_rm(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const ManifestListStore lists(engine.store());
  engine.enter_r();
  int status = 0;
  for (const std::string& name : arguments.positional()) {
    try {
      const ManifestList list = lists.get_list(name);
      lists.remove_list(list);
      invocation.out.line(list.id);
    } catch (const NotFound& error) {
      if (arguments.boolean("ignore")) continue;
      print_error(error);
      status = 1;
    }
  }
  return status;
}

int run_exists(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  return ManifestListStore(engine.store()).find_list(arguments.at(0)) ? 0 : 1;
}

}  // namespace

constinit const Verb manifest_create_verb = implement(manifest_create_description, run_create);
constinit const Verb manifest_add_verb = implement(manifest_add_description, run_add);
constinit const Verb manifest_annotate_verb = implement(manifest_annotate_description, run_annotate);
constinit const Verb manifest_remove_verb = implement(manifest_remove_description, run_remove);
constinit const Verb manifest_rm_verb = implement(manifest_rm_description, run_rm);
constinit const Verb manifest_exists_verb = implement(manifest_exists_description, run_exists);

}  // namespace knarr::cli
