// SPDX-License-Identifier: Apache-2.0
// What registries.conf means for one image: which places to ask, in which order.
#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/registry/registries_conf.h"

namespace knarr::storage {
namespace {

bool is_separator(char c) {
  return c == ':' || c == '/' || c == '@';
}

// "*.example.com" stands for every host below it, on any port, and for nothing with a path.
bool matches_subdomain(std::string_view name, std::string_view suffix) {
  const std::string_view domain = name.substr(0, name.find_first_of("/@"));
  const std::string_view host = domain.substr(0, domain.rfind(':'));
  return domain.ends_with(suffix) || host.ends_with(suffix);
}

bool matches_prefix(std::string_view name, std::string_view prefix) {
  if (prefix.starts_with("*.")) return matches_subdomain(name, prefix.substr(1));
  if (!name.starts_with(prefix)) return false;
  // A host without a port stands for the host on every port, as it does for the other engines.
  return name.size() == prefix.size() || is_separator(name[prefix.size()]);
}

const RegistryEntry* find_unblocked(const RegistriesConfig& config, const std::string& name) {
  const RegistryEntry* entry = find_registry(config, name);
  if (entry != nullptr && entry->blocked) {
    throw InvalidArgument(concat("registry ", entry->prefix, " is blocked in ", entry->file));
  }
  return entry;
}

Reference relocate(const Reference& reference, const RegistryEntry& entry, const std::string& location) {
  if (location.empty()) return reference;
  const std::string name = render(reference);
  // What a wildcard matched is the host.
  const std::size_t matched = entry.prefix.starts_with("*.") ? reference.domain.size() : entry.prefix.size();
  return with_context(concat("rewriting ", name, " as ", entry.file, " has it"),
                      [&] { return normalize(parse_reference(location + name.substr(matched))); });
}

bool serves(const RegistryEntry& entry, const RegistryMirror& mirror, const Reference& reference) {
  const bool by_digest = reference.digest.has_value();
  if (entry.mirror_by_digest_only || mirror.pull_from == PullFrom::digest_only) return by_digest;
  return mirror.pull_from == PullFrom::all || !by_digest;
}

Reference on_registry(const std::string& registry, const Reference& short_name) {
  Reference full = short_name;
  // The registry may have a path: "registry.example/team".
  const std::size_t slash = registry.find('/');
  full.domain = registry.substr(0, slash);
  if (slash != std::string::npos) full.path = concat(registry.substr(slash + 1), '/', full.path);
  return normalize(full);
}

std::string short_name_of(const Reference& reference) {
  return render(Reference{.path = reference.path});
}

[[noreturn]] void fail_unresolved(const RegistriesConfig& config, const Reference& reference) {
  const std::string where = config.file.empty()
                                ? std::string("there is no registries.conf")
                                : concat("no unqualified-search registries are defined in ", config.file);
  InvalidArgument error(
      concat("short-name \"", render(reference), "\" did not resolve to an alias and ", where));
  error.set_hint(concat("name the registry, as in ", render(on_registry("docker.io", reference)),
                        ", or set unqualified-search-registries"));
  throw error;
}

[[noreturn]] void fail_ambiguous(const Reference& reference, const std::vector<Reference>& candidates) {
  std::string names;
  for (const Reference& candidate : candidates) names += concat(names.empty() ? "" : ", ", render(candidate));
  throw InvalidArgument(
      concat("short-name \"", render(reference), "\" may mean ", names, " and short-name-mode is enforcing"));
}

}  // namespace

std::string registry_host(const std::string& domain) {
  return domain == "docker.io" || domain == "index.docker.io" ? "registry-1.docker.io" : domain;
}

const RegistryEntry* find_registry(const RegistriesConfig& config, std::string_view name) {
  const RegistryEntry* longest = nullptr;
  for (const RegistryEntry& entry : config.registries) {
    if (!matches_prefix(name, entry.prefix)) continue;
    if (longest == nullptr || entry.prefix.size() > longest->prefix.size()) longest = &entry;
  }
  return longest;
}

bool is_insecure(const RegistriesConfig& config, const std::string& name) {
  const RegistryEntry* entry = find_unblocked(config, name);
  return entry != nullptr && entry->insecure;
}

std::vector<PullSource> plan_pull(const RegistriesConfig& config, const Reference& reference) {
  const RegistryEntry* entry = find_unblocked(config, render(reference));
  if (entry == nullptr) return {{.reference = reference}};
  std::vector<PullSource> sources;
  for (const RegistryMirror& mirror : entry->mirrors) {
    if (!serves(*entry, mirror, reference)) continue;
    sources.push_back({relocate(reference, *entry, mirror.location), mirror.insecure, true});
  }
  sources.push_back({relocate(reference, *entry, entry->location), entry->insecure, false});
  return sources;
}

PullSource plan_push(const RegistriesConfig& config, const Reference& reference) {
  return {.reference = reference, .insecure = is_insecure(config, render(reference))};
}

std::vector<Reference> list_ambiguous_names(const RegistriesConfig& config, const Reference& reference) {
  if (!reference.domain.empty() || config.search.size() < 2) return {};
  if (config.short_name_mode == ShortNameMode::disabled) return {};
  if (config.aliases.contains(short_name_of(reference))) return {};
  std::vector<Reference> names;
  for (const std::string& registry : config.search) names.push_back(on_registry(registry, reference));
  return names;
}

std::vector<Reference> resolve_short_name(const RegistriesConfig& config, const Reference& reference) {
  if (!reference.domain.empty()) return {normalize(reference)};
  if (const auto alias = config.aliases.find(short_name_of(reference)); alias != config.aliases.end()) {
    Reference full = parse_reference(alias->second);
    full.tag = reference.tag;
    full.digest = reference.digest;
    return {normalize(full)};
  }
  if (config.search.empty()) fail_unresolved(config, reference);
  std::vector<Reference> candidates;
  for (const std::string& registry : config.search) candidates.push_back(on_registry(registry, reference));
  if (candidates.size() > 1 && config.short_name_mode == ShortNameMode::enforcing) {
    fail_ambiguous(reference, candidates);
  }
  return candidates;
}

}  // namespace knarr::storage
