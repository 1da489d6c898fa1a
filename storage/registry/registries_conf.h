// SPDX-License-Identifier: Apache-2.0
// Which registries may be asked, and for what (containers-registries.conf(5), version 2).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/reference.h"

namespace knarr::storage {

// One place an image may be fetched from, in the order to try.
struct PullSource {
  // As the endpoint knows it: domain is the registry (its server is registry_host(domain)), path and tag or
  // digest as there.
  Reference reference;
  bool insecure = false;  // no verification of TLS, and plain HTTP where there is no TLS
  bool is_mirror = false;
};

enum class PullFrom { all, digest_only, tag_only };

struct RegistryMirror {
  std::string location;
  bool insecure = false;
  PullFrom pull_from = PullFrom::all;
};

struct RegistryEntry {
  std::string prefix;    // "host[:port][/path]" or "*.host"; the longest that matches counts
  std::string location;  // what the prefix is replaced by; empty: itself
  bool insecure = false;
  bool blocked = false;
  bool mirror_by_digest_only = false;
  std::vector<RegistryMirror> mirrors;
  std::string file;  // where it is written, for errors
};

enum class ShortNameMode { enforcing, permissive, disabled };

struct RegistriesConfig {
  std::vector<std::string> search;              // unqualified-search-registries
  std::vector<std::string> credential_helpers;  // credential-helpers; empty: the auth files alone
  ShortNameMode short_name_mode = ShortNameMode::permissive;
  std::map<std::string, std::string> aliases;  // short name → full name without tag
  std::vector<RegistryEntry> registries;
  std::string file;  // the file that has the search list, or else the main one; empty: there is none
};

// Where the files are; taken from the environment by config_places(), which is called before the process
// enters R: there everybody is root.
struct ConfigPlaces {
  std::string home;
  std::string config_home;  // $XDG_CONFIG_HOME or ~/.config
  std::string cache_home;   // $XDG_CACHE_HOME or ~/.cache
  std::string runtime_dir;  // $XDG_RUNTIME_DIR, may be empty
  std::string system = "/etc/containers";
  std::string vendor = "/usr/share/containers";
  std::string docker = "/etc/docker";
  std::string system_cache = "/var/cache/containers";
  std::string system_run = "/run/containers";
  std::map<std::string, std::string> environment;  // CONTAINERS_REGISTRIES_CONF, REGISTRY_AUTH_FILE, ...
  bool rootful = false;
  unsigned user = 0;  // the effective user id

  // Empty when the variable is not set.
  std::string variable(const std::string& name) const;
};
ConfigPlaces config_places();

// Pure: one document. `file` is what errors call it. Throws InvalidArgument.
RegistriesConfig parse_registries_conf(std::string_view toml, const std::string& file);
// Pure: what a later document says replaces what `config` has: whole lists, single aliases, [[registry]]
// tables of the same prefix. An alias to nothing is taken away.
void merge_registries_conf(RegistriesConfig& config, std::string_view toml, const std::string& file);
// The user's file, else the system's, else the distribution's; then the drop-ins registries.conf.d/*.conf of
// all three in the order of their names (of two with one name the user's counts); then the recorded aliases.
// CONTAINERS_REGISTRIES_CONF names a file that is read instead of all these,
// CONTAINERS_REGISTRIES_CONF_OVERRIDE one that is read last. Throws InvalidArgument for a damaged file or
// registries that contradict each other.
RegistriesConfig load_registries_config(const ConfigPlaces& places);

// The server that is asked for a registry's name: Docker Hub's is not at docker.io. Credentials, certificates
// and settings go by the name.
std::string registry_host(const std::string& domain);

// The [[registry]] table for "host[:port][/path][:tag|@digest]", or null.
const RegistryEntry* find_registry(const RegistriesConfig& config, std::string_view name);
// Whether TLS of this registry need not be verified. Throws InvalidArgument when it is blocked.
bool is_insecure(const RegistriesConfig& config, const std::string& name);

// Where `reference` (a full name) may be pulled from: mirrors first. Throws InvalidArgument "registry X is
// blocked in FILE".
std::vector<PullSource> plan_pull(const RegistriesConfig& config, const Reference& reference);
// Pushes go to the place itself, never to a mirror or a rewritten one. Throws as plan_pull().
PullSource plan_push(const RegistriesConfig& config, const Reference& reference);

// The search registries' full names for a short name that may mean several things, so that somebody who is
// there can be asked; empty where there is nothing to ask.
std::vector<Reference> list_ambiguous_names(const RegistriesConfig& config, const Reference& reference);
// Keeps an answer for the next time, in the user's cache (short-name-aliases.conf).
void record_alias(const ConfigPlaces& places, const Reference& short_name, const Reference& full_name);
// The document with that alias in it. Pure.
std::string add_alias(std::string_view toml, const std::string& file, const std::string& short_name,
                      const std::string& full_name);

// The full names a short name may mean, in the order to try: its alias alone when it has one, else each
// search registry. A full name means itself. Throws InvalidArgument with a hint when there is no way to
// resolve it. In enforcing mode several candidates are an InvalidArgument that lists them (there is nobody to
// ask).
std::vector<Reference> resolve_short_name(const RegistriesConfig& config, const Reference& reference);

}  // namespace knarr::storage
