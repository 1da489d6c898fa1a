// SPDX-License-Identifier: Apache-2.0
// Which registries may be asked, and for what (containers-registries.conf(5), version 2).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/reference.h"

namespace knarr::storage {

// One place an image may be fetched from, in the order to try.
struct PullSource {
  Reference
      reference;  // as the endpoint knows it: domain is the host to ask, path and tag or digest as there
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
};

enum class ShortNameMode { enforcing, permissive, disabled };

struct RegistriesConfig {
  std::vector<std::string> search;              // unqualified-search-registries
  std::vector<std::string> credential_helpers;  // credential-helpers
  ShortNameMode short_name_mode = ShortNameMode::permissive;
  std::map<std::string, std::string> aliases;  // short name → full name without tag
  std::vector<RegistryEntry> registries;
  std::string file;  // where the search list came from, for errors
};

// Where the files are; taken from the environment by config_places().
struct ConfigPlaces {
  std::string home;
  std::string config_home;  // $XDG_CONFIG_HOME or ~/.config
  std::string cache_home;
  std::string runtime_dir;  // $XDG_RUNTIME_DIR, may be empty
  std::string system = "/etc/containers";
  std::map<std::string, std::string> environment;  // CONTAINERS_REGISTRIES_CONF, REGISTRY_AUTH_FILE, ...
  bool rootful = false;
};
ConfigPlaces config_places();

// Pure: one document. `file` is what errors call it. Throws InvalidArgument.
RegistriesConfig parse_registries_conf(std::string_view toml, const std::string& file);
// The user's file or else the system's, with the drop-ins of registries.conf.d/*.conf, and the recorded
// aliases.
RegistriesConfig load_registries_config(const ConfigPlaces& places);

// Where `reference` (a full name) may be pulled from: mirrors first. Throws InvalidArgument "registry X is
// blocked in FILE".
std::vector<PullSource> plan_pull(const RegistriesConfig& config, const Reference& reference);
// Pushes go to the place itself, never to a mirror or a rewritten one.
PullSource plan_push(const RegistriesConfig& config, const Reference& reference);

// The full names a short name may mean, in the order to try: its alias alone when it has one, else each
// search registry. A full name means itself. Throws InvalidArgument with a hint when there is no way to
// resolve it. In enforcing mode several candidates are an InvalidArgument that lists them (there is nobody to
// ask).
std::vector<Reference> resolve_short_name(const RegistriesConfig& config, const Reference& reference);

}  // namespace knarr::storage
