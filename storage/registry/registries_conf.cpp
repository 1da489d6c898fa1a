// SPDX-License-Identifier: Apache-2.0
// registries.conf: documents in TOML, and the files they are in.
#include "storage/registry/registries_conf.h"

#include <algorithm>
#include <set>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"

// Errors as values: they carry the line.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace knarr::storage {
namespace {

// ---- values ----

[[noreturn]] void fail(const std::string& file, const toml::node& at, std::string_view message) {
  const auto line = at.source().begin.line;
  throw InvalidArgument(line == 0 ? concat(file, ": ", message) : concat(file, ':', line, ": ", message));
}

std::string string_of(const std::string& file, const toml::node& node, std::string_view key) {
  const auto* text = node.as_string();
  if (text == nullptr) fail(file, node, concat(key, " must be a string"));
  return text->get();
}

// A table with the file it is in, for errors.
class TomlReader {
 public:
  TomlReader(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

  const toml::table& table() const { return table_; }
  const std::string& file() const { return file_; }
  bool has(std::string_view key) const { return table_.contains(key); }
  [[noreturn]] void fail(std::string_view message) const { storage::fail(file_, table_, message); }

  std::string read_string(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node == nullptr ? std::string() : string_of(file_, *node, key);
  }

  bool read_bool(std::string_view key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return false;
    const auto* value = node->as_boolean();
    if (value == nullptr) storage::fail(file_, *node, concat(key, " must be true or false"));
    return value->get();
  }

  std::vector<std::string> read_strings(std::string_view key) const {
    std::vector<std::string> strings;
    for_each(key, "must be an array of strings", [&](const toml::node& element) {
      strings.push_back(string_of(file_, element, concat("each element of ", key)));
    });
    return strings;
  }

  std::vector<TomlReader> read_tables(std::string_view key) const {
    std::vector<TomlReader> tables;
    for_each(key, "must be an array of tables", [&](const toml::node& element) {
      if (!element.is_table()) storage::fail(file_, element, concat(key, " must be an array of tables"));
      tables.emplace_back(*element.as_table(), file_);
    });
    return tables;
  }

 private:
  template <typename Act>
  void for_each(std::string_view key, std::string_view expectation, Act act) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    if (!node->is_array()) storage::fail(file_, *node, concat(key, ' ', expectation));
    for (const toml::node& element : *node->as_array()) act(element);
  }

  const toml::table& table_;
  const std::string& file_;
};

toml::table parse_toml(std::string_view text, const std::string& file) {
  toml::parse_result result = toml::parse(text);
  if (!result) {
    const toml::parse_error& error = result.error();
    throw InvalidArgument(concat(file, ':', error.source().begin.line, ": ", error.description()));
  }
  return std::move(result).table();
}

// ---- registries ----

// "host[:port][/path]" without a slash at the end.
std::string clean_location(const TomlReader& table, std::string location) {
  if (location.starts_with("http://") || location.starts_with("https://")) {
    table.fail(concat("invalid location \"", location, "\": URI schemes are not supported"));
  }
  while (location.ends_with('/')) location.pop_back();
  return location;
}

PullFrom parse_pull_from(const TomlReader& table, const std::string& text) {
  if (text.empty() || text == "all") return PullFrom::all;
  if (text == "digest-only") return PullFrom::digest_only;
  if (text == "tag-only") return PullFrom::tag_only;
  table.fail(concat("pull-from-mirror is \"", text, "\", not one of all, digest-only, tag-only"));
}

RegistryMirror read_mirror(const TomlReader& table, const RegistryEntry& entry) {
  RegistryMirror mirror;
  mirror.location = clean_location(table, table.read_string("location"));
  if (mirror.location.empty()) table.fail("a mirror needs a location");
  mirror.insecure = table.read_bool("insecure");
  const std::string pull_from = table.read_string("pull-from-mirror");
  if (entry.mirror_by_digest_only && !pull_from.empty()) {
    table.fail(concat("pull-from-mirror of mirror ", mirror.location,
                      " contradicts mirror-by-digest-only of registry ", entry.prefix));
  }
  mirror.pull_from = parse_pull_from(table, pull_from);
  return mirror;
}

void check_prefix(const TomlReader& table, const RegistryEntry& entry) {
  if (entry.prefix.empty()) table.fail("a [[registry]] needs a prefix or a location");
  const bool wildcard = entry.prefix.starts_with("*.");
  if (!wildcard && entry.location.empty()) {
    table.fail(concat("registry ", entry.prefix, " needs a location: only *.host may go without one"));
  }
  const bool below_a_host = entry.prefix.find_first_of("*/:@", 1) == std::string::npos;
  if (wildcard ? !below_a_host : entry.prefix.find('*') != std::string::npos) {
    table.fail(concat("prefix \"", entry.prefix, "\": a wildcard is only possible as in *.example.com"));
  }
}

RegistryEntry read_registry(const TomlReader& table) {
  RegistryEntry entry;
  entry.file = table.file();
  entry.location = clean_location(table, table.read_string("location"));
  entry.prefix = clean_location(table, table.read_string("prefix"));
  if (entry.prefix.empty()) entry.prefix = entry.location;
  check_prefix(table, entry);
  entry.insecure = table.read_bool("insecure");
  entry.blocked = table.read_bool("blocked");
  entry.mirror_by_digest_only = table.read_bool("mirror-by-digest-only");
  if (table.has("pull-from-mirror")) table.fail("pull-from-mirror belongs into a [[registry.mirror]]");
  for (const TomlReader& mirror : table.read_tables("mirror")) {
    entry.mirrors.push_back(read_mirror(mirror, entry));
  }
  return entry;
}

RegistryEntry* find_by_prefix(std::vector<RegistryEntry>& registries, const std::string& prefix) {
  const auto found = std::find_if(registries.begin(), registries.end(),
                                  [&](const RegistryEntry& entry) { return entry.prefix == prefix; });
  return found == registries.end() ? nullptr : &*found;
}

// Of two tables in one file the first counts, but they must not disagree on what is a matter of trust.
void check_agreement(const TomlReader& table, const RegistryEntry& first, const RegistryEntry& second) {
  for (const auto& [setting, differs] : {std::pair{"insecure", first.insecure != second.insecure},
                                         std::pair{"blocked", first.blocked != second.blocked}}) {
    if (differs) {
      table.fail(concat("registry ", second.prefix, " is defined multiple times with conflicting '", setting,
                        "' setting"));
    }
  }
}

void merge_registries(RegistriesConfig& config, const TomlReader& document) {
  std::vector<RegistryEntry> own;
  for (const TomlReader& table : document.read_tables("registry")) {
    RegistryEntry entry = read_registry(table);
    if (const RegistryEntry* first = find_by_prefix(own, entry.prefix)) {
      check_agreement(table, *first, entry);
    } else {
      own.push_back(std::move(entry));
    }
  }
  for (RegistryEntry& entry : own) {
    RegistryEntry* known = find_by_prefix(config.registries, entry.prefix);
    if (known != nullptr) {
      *known = std::move(entry);
    } else {
      config.registries.push_back(std::move(entry));
    }
  }
}

// ---- aliases ----

void check_alias_name(const std::string& file, const toml::node& at, std::string_view name) {
  const Reference reference =
      with_context(concat(file, ": [aliases]"), [&] { return parse_reference(name); });
  if (!reference.domain.empty() || !reference.tag.empty() || reference.digest) {
    fail(file, at, concat("alias \"", name, "\" must be a name without registry, tag and digest"));
  }
}

void check_alias_value(const std::string& file, const toml::node& at, std::string_view value) {
  const Reference reference =
      with_context(concat(file, ": [aliases]"), [&] { return parse_reference(value); });
  if (reference.domain.empty() || !reference.tag.empty() || reference.digest) {
    fail(file, at, concat("alias to \"", value, "\" must name registry and repository, no tag or digest"));
  }
}

void merge_aliases(RegistriesConfig& config, const TomlReader& document) {
  const toml::node* node = document.table().get("aliases");
  if (node == nullptr) return;
  if (!node->is_table()) fail(document.file(), *node, "aliases must be a table");
  for (const auto& [key, target] : *node->as_table()) {
    const std::string name(key.str());
    check_alias_name(document.file(), target, name);
    const std::string value = string_of(document.file(), target, concat("alias ", name));
    if (value.empty()) {
      config.aliases.erase(name);
      continue;
    }
    check_alias_value(document.file(), target, value);
    config.aliases[name] = value;
  }
}

// ---- the rest of a document ----

// Version 1 had [registries.search], [registries.insecure] and [registries.block].
void refuse_version_1(const TomlReader& document) {
  const toml::node* node = document.table().get("registries");
  if (node == nullptr || !node->is_table()) return;
  for (const char* list : {"search", "insecure", "block"}) {
    if (!node->as_table()->contains(list)) continue;
    InvalidArgument error(concat(document.file(), ": [registries.", list,
                                 "] is version 1 of this format, which is no longer supported"));
    error.set_hint("write unqualified-search-registries and [[registry]], see containers-registries.conf(5)");
    throw error;
  }
}

ShortNameMode parse_short_name_mode(const TomlReader& document, const std::string& text) {
  if (text == "enforcing") return ShortNameMode::enforcing;
  if (text == "permissive") return ShortNameMode::permissive;
  if (text == "disabled") return ShortNameMode::disabled;
  document.fail(
      concat("invalid short-name mode: \"", text, "\" (must be one of enforcing, permissive, disabled)"));
}

std::vector<std::string> read_search(const TomlReader& document) {
  std::vector<std::string> search;
  for (const std::string& registry : document.read_strings("unqualified-search-registries")) {
    std::string location = clean_location(document, registry);
    if (location.empty()) document.fail("an element of unqualified-search-registries is empty");
    search.push_back(std::move(location));
  }
  return search;
}

// ---- files ----

constexpr std::string_view main_name = "registries.conf";

std::vector<std::string> directories(const ConfigPlaces& places) {
  return {places.vendor, places.system, places.config_home + "/containers"};
}

// Drop-ins by name: later directories replace earlier ones' files. Beside registries.conf.d there are
// directories for root alone, for all others, and for one of them.
std::map<std::string, std::string> find_drop_ins(const ConfigPlaces& places) {
  std::map<std::string, std::string> files;
  const auto add = [&files](const std::string& directory) {
    for (const std::string& name : sys::list_directory(AT_FDCWD, directory)) {
      if (name.ends_with(".conf")) files[name] = concat(directory, '/', name);
    }
  };
  for (const std::string& directory : directories(places)) {
    add(directory + "/registries.conf.d");
    if (places.rootful) {
      add(directory + "/registries.rootful.conf.d");
    } else {
      add(directory + "/registries.rootless.conf.d");
      add(concat(directory, "/registries.rootless.conf.d/", places.user));
    }
  }
  return files;
}

std::string read_named_file(const std::string& path) {
  return sys::read_file(AT_FDCWD, path);
}

void merge_main_file(RegistriesConfig& config, const ConfigPlaces& places) {
  const std::vector<std::string> places_of_main = directories(places);
  for (auto directory = places_of_main.rbegin(); directory != places_of_main.rend(); ++directory) {
    const std::string path = concat(*directory, '/', main_name);
    if (const auto text = sys::read_file_if_exists(AT_FDCWD, path)) {
      config.file = path;
      return merge_registries_conf(config, *text, path);
    }
  }
}

// What is kept in a cache is nobody's word: where it may not be read there is none.
std::optional<std::string> read_if_allowed(const std::string& path) {
  try {
    return sys::read_file_if_exists(AT_FDCWD, path);
  } catch (const SysError& error) {
    if (error.code() == EACCES) return std::nullopt;
    throw;
  }
}

constexpr const char* recorded_aliases_file = "/short-name-aliases.conf";

std::string cache_directory(const ConfigPlaces& places) {
  return places.rootful ? places.system_cache : places.cache_home + "/containers";
}

void merge_recorded_aliases(RegistriesConfig& config, const ConfigPlaces& places) {
  const std::string path = cache_directory(places) + recorded_aliases_file;
  const std::optional<std::string> text = read_if_allowed(path);
  if (!text) return;
  const toml::table table = parse_toml(*text, path);
  merge_aliases(config, TomlReader(table, path));
}

// One server under two prefixes must not be trusted by one and blocked by the other.
void check_locations(const RegistriesConfig& config) {
  std::map<std::string, const RegistryEntry*> seen;
  for (const RegistryEntry& entry : config.registries) {
    const auto [first, is_new] = seen.emplace(entry.location.empty() ? entry.prefix : entry.location, &entry);
    if (is_new) continue;
    for (const auto& [setting, differs] : {std::pair{"insecure", entry.insecure != first->second->insecure},
                                           std::pair{"blocked", entry.blocked != first->second->blocked}}) {
      if (differs) {
        throw InvalidArgument(concat(entry.file, ": registry ", first->first,
                                     " is defined multiple times with conflicting '", setting, "' setting"));
      }
    }
  }
}

bool is_off(const std::string& value) {
  return value == "off" || value == "false" || value == "0" || value == "no";
}

}  // namespace

void merge_registries_conf(RegistriesConfig& config, std::string_view toml, const std::string& file) {
  const toml::table table = parse_toml(toml, file);
  const TomlReader document(table, file);
  refuse_version_1(document);
  if (document.has("unqualified-search-registries")) {
    config.search = read_search(document);
    config.file = file;
  }
  if (document.has("credential-helpers")) {
    config.credential_helpers = document.read_strings("credential-helpers");
  }
  const std::string mode = document.read_string("short-name-mode");
  if (!mode.empty()) config.short_name_mode = parse_short_name_mode(document, mode);
  merge_registries(config, document);
  merge_aliases(config, document);
}

RegistriesConfig parse_registries_conf(std::string_view toml, const std::string& file) {
  RegistriesConfig config;
  config.file = file;
  merge_registries_conf(config, toml, file);
  check_locations(config);
  return config;
}

RegistriesConfig load_registries_config(const ConfigPlaces& places) {
  RegistriesConfig config;
  if (const std::string only = places.variable("CONTAINERS_REGISTRIES_CONF"); !only.empty()) {
    config.file = only;
    merge_registries_conf(config, read_named_file(only), only);
  } else {
    merge_main_file(config, places);
    for (const auto& [name, path] : find_drop_ins(places)) {
      // It may have gone since the directory was read.
      if (const auto text = sys::read_file_if_exists(AT_FDCWD, path)) {
        merge_registries_conf(config, *text, path);
      }
    }
  }
  if (const std::string last = places.variable("CONTAINERS_REGISTRIES_CONF_OVERRIDE"); !last.empty()) {
    merge_registries_conf(config, read_named_file(last), last);
  }
  check_locations(config);
  merge_recorded_aliases(config, places);
  if (is_off(places.variable("CONTAINERS_SHORT_NAME_ALIASING"))) {
    config.aliases.clear();
    config.short_name_mode = ShortNameMode::disabled;
  }
  return config;
}

std::string add_alias(std::string_view toml, const std::string& file, const std::string& short_name,
                      const std::string& full_name) {
  RegistriesConfig known;
  const toml::table table = parse_toml(std::string(toml), file);
  merge_aliases(known, TomlReader(table, file));
  known.aliases[short_name] = full_name;
  std::string text = "[aliases]\n";
  // Neither side of an alias can have a character that TOML would escape.
  for (const auto& [name, value] : known.aliases) text += concat("  \"", name, "\" = \"", value, "\"\n");
  return text;
}

void record_alias(const ConfigPlaces& places, const Reference& short_name, const Reference& full_name) {
  const std::string directory = cache_directory(places);
  const std::string path = directory + recorded_aliases_file;
  sys::make_directories(AT_FDCWD, directory, 0700);
  const sys::Lock lock = sys::Lock::acquire(AT_FDCWD, directory, sys::Lock::Mode::exclusive);
  const std::string text = add_alias(sys::read_file_if_exists(AT_FDCWD, path).value_or(""), path,
                                     render(Reference{.path = short_name.path}),
                                     render(Reference{.domain = full_name.domain, .path = full_name.path}));
  sys::replace_file(AT_FDCWD, path, text, 0600, sys::Durability::none);
}

}  // namespace knarr::storage
