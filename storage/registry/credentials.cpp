// SPDX-License-Identifier: Apache-2.0
// Which file or helper has the password for a registry.
#include "storage/registry/credentials.h"

#include <stdlib.h>

#include <algorithm>
#include <functional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"
#include "storage/content/base64.h"
#include "storage/registry/auth_file_json.h"
#include "storage/registry/credential_helper.h"

namespace knarr::storage {
namespace {

// The entry of credential-helpers that means the files themselves.
constexpr std::string_view files_helper = "containers-auth.json";
// What docker calls its hub in its own file, and with its helpers.
constexpr const char* docker_hub_url = "https://index.docker.io/v1/";

// ---- keys ----

std::string without_scheme(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) return std::string(key.substr(scheme.size()));
  }
  return std::string(key);
}

std::string one_name_for_docker_hub(std::string host) {
  return host == "docker.io" || host == "registry-1.docker.io" ? "index.docker.io" : host;
}

// docker wrote URLs for many years and matches by their hosts: https://index.docker.io/v1/, http://host.
std::string host_of_key(const std::string& key, bool legacy) {
  std::string host = without_scheme(key);
  if (legacy || host != key) host = host.substr(0, host.find('/'));
  return one_name_for_docker_hub(std::move(host));
}

std::string host_of(const std::string& key) {
  return key.substr(0, key.find('/'));
}

bool has_path(const std::string& key) {
  return key.find('/') != std::string::npos;
}

// "host/a/b", "host/a", "host".
std::vector<std::string> keys_for(const std::string& host, const std::string& path) {
  std::vector<std::string> keys;
  std::string key = path.empty() ? host : concat(host, '/', path);
  for (;;) {
    keys.push_back(key);
    const std::size_t slash = key.rfind('/');
    if (slash == std::string::npos) return keys;
    key.resize(slash);
  }
}

std::string docker_key(const std::string& key) {
  return one_name_for_docker_hub(key) == "index.docker.io" ? docker_hub_url : key;
}

// ---- places ----

struct AuthPlace {
  std::string path;
  bool legacy = false;         // .dockercfg
  bool docker_format = false;  // keys are docker's: hosts, and the hub's URL
};

std::string docker_config(const ConfigPlaces& places) {
  const std::string directory = places.variable("DOCKER_CONFIG");
  return (directory.empty() ? places.home + "/.docker" : directory) + "/config.json";
}

// The file the user named, by an option or by the environment.
std::optional<AuthPlace> chosen_place(const ConfigPlaces& places, const AuthOptions& options) {
  if (!options.compat_file.empty()) {
    if (!options.auth_file.empty()) {
      throw InvalidArgument("--authfile and --compat-auth-file cannot be used together");
    }
    return AuthPlace{.path = options.compat_file, .docker_format = true};
  }
  if (!options.auth_file.empty()) return AuthPlace{.path = options.auth_file};
  if (const std::string path = places.variable("REGISTRY_AUTH_FILE"); !path.empty())
    return AuthPlace{.path = path};
  // As for the other engines, DOCKER_CONFIG means that file alone once it exists.
  if (!places.variable("DOCKER_CONFIG").empty() && sys::stat_at(AT_FDCWD, docker_config(places))) {
    return AuthPlace{.path = docker_config(places)};
  }
  return std::nullopt;
}

AuthPlace primary_place(const ConfigPlaces& places) {
  if (places.runtime_dir.empty()) return {.path = concat(places.system_run, '/', places.user, "/auth.json")};
  return {.path = places.runtime_dir + "/containers/auth.json"};
}

AuthPlace place_to_write(const ConfigPlaces& places, const AuthOptions& options) {
  return chosen_place(places, options).value_or(primary_place(places));
}

std::vector<AuthPlace> places_to_read(const ConfigPlaces& places, const AuthOptions& options) {
  if (auto chosen = chosen_place(places, options)) return {*chosen};
  return {primary_place(places),
          {.path = places.config_home + "/containers/auth.json"},
          {.path = docker_config(places)},
          {.path = places.home + "/.dockercfg", .legacy = true}};
}

std::optional<AuthFile> read_place(const AuthPlace& place) {
  const auto text = sys::read_file_if_exists(AT_FDCWD, place.path);
  if (!text) return std::nullopt;
  return parse_auth_file(*text, place.path, place.legacy);
}

// ---- reading ----

std::optional<Credentials> decode_entry(const AuthEntry& entry, const std::string& key,
                                        const std::string& file) {
  Credentials credentials{entry.username, entry.password, entry.identity_token};
  if (!entry.auth.empty()) {
    const auto decoded = decode_base64(entry.auth);
    const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos) {
      throw InvalidArgument(concat(file, ": auths.", key, ".auth is not the base64 of user:password"));
    }
    credentials.username = decoded->substr(0, colon);
    credentials.password = decoded->substr(colon + 1);
    // docker padded it with zeros once.
    const std::size_t end = credentials.password.find_last_not_of('\0');
    credentials.password.resize(end == std::string::npos ? 0 : end + 1);
  }
  if (credentials.username.empty() && credentials.identity_token.empty()) return std::nullopt;
  return credentials;
}

// The entry with its key.
std::optional<std::pair<std::string, AuthEntry>> find_entry(const AuthFile& file, bool legacy,
                                                            const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (const auto found = file.auths.find(key); found != file.auths.end()) return *found;
  }
  const std::string host = one_name_for_docker_hub(host_of(keys.back()));
  for (const auto& [key, entry] : file.auths) {
    if (host_of_key(key, legacy) == host) return std::pair{key, entry};
  }
  return std::nullopt;
}

// What is asked about one registry.
class Search {
 public:
  Search(const ConfigPlaces& places, const AuthOptions& options, const std::string& host,
         const std::string& path)
      : places_(places), options_(options), host_(host), keys_(keys_for(host, path)) {}

  // A helper that fails (a key ring that is locked, say) does not hide what the next one knows.
  std::optional<Credentials> run() const {
    if (options_.helpers.empty()) return find_in_files();
    std::optional<Error> failure;
    for (const std::string& helper : options_.helpers) {
      try {
        auto found = helper == files_helper ? find_in_files() : open_helper(helper).get(host_);
        if (found) return found;
      } catch (const Error& error) {
        if (!failure) failure = error;
      }
    }
    if (failure) throw *failure;
    return std::nullopt;
  }

 private:
  CredentialHelper open_helper(const std::string& name) const { return {name, places_.variable("PATH")}; }

  std::optional<Credentials> find_in_files() const {
    for (const AuthPlace& place : places_to_read(places_, options_)) {
      const auto file = read_place(place);
      if (!file) continue;
      if (auto found = find_in_file(*file, place)) return found;
    }
    return std::nullopt;
  }

  std::optional<Credentials> find_in_file(const AuthFile& file, const AuthPlace& place) const {
    // A helper named for a host is the only one to ask about it in this file. It knows no namespaces.
    for (const auto& [key, helper] : file.helpers) {
      if (host_of_key(key, false) == one_name_for_docker_hub(host_)) return open_helper(helper).get(key);
    }
    if (!file.store.empty()) {
      // docker's file may name a helper that only exists where docker runs (docker-credential-desktop.exe);
      // pulling without a password must go on then.
      const CredentialHelper store = open_helper(file.store);
      if (auto found = store.is_installed() ? store.get(docker_key(host_)) : std::nullopt) return found;
    }
    const auto entry = find_entry(file, place.legacy, keys_);
    if (!entry) return std::nullopt;
    return decode_entry(entry->second, entry->first, place.path);
  }

  const ConfigPlaces& places_;
  const AuthOptions& options_;
  std::string host_;
  std::vector<std::string> keys_;
};

// ---- writing ----

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Where a link leads: the file behind it is replaced, not the link.
std::string resolve_link(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string target = resolved;
  ::free(resolved);
  return target;
}

// Replaces the file's text by what `edit` makes of it (empty: no file yet); nullopt leaves it alone.
void rewrite(const std::string& place,
             const std::function<std::optional<std::string>(const std::string&)>& edit) {
  const std::string path = resolve_link(place);
  const std::string directory = directory_of(path);
  sys::make_directories(AT_FDCWD, directory, 0700);
  // Two logins at once must both be in the file afterwards.
  const sys::Lock lock = sys::Lock::acquire(AT_FDCWD, directory, sys::Lock::Mode::exclusive);
  const std::string text = sys::read_file_if_exists(AT_FDCWD, path).value_or("");
  const std::optional<std::string> edited = edit(text);
  if (edited) sys::replace_file(AT_FDCWD, path, *edited, 0600, sys::Durability::synced);
}

class Editor {
 public:
  Editor(const ConfigPlaces& places, const AuthOptions& options)
      : places_(places), options_(options), place_(place_to_write(places, options)) {}

  // The first that takes it has it.
  std::string store(const std::string& key, const Credentials& credentials) const {
    std::optional<Error> failure;
    for (const std::string& helper : helpers()) {
      try {
        return helper == files_helper ? store_in_file(key, credentials)
                                      : store_in_helper(helper, key, key, credentials);
      } catch (const Error& error) {
        if (!failure) failure = error;
      }
    }
    throw *failure;
  }

  bool erase(const std::string& key) const {
    bool found = false;
    for (const std::string& helper : helpers()) {
      if (helper == files_helper) {
        found |= erase_in_file(key);
      } else if (!has_path(key)) {
        found |= open_helper(helper).erase(key);
      }
    }
    return found;
  }

  void erase_all() const {
    for (const std::string& helper : helpers()) {
      if (helper == files_helper) {
        erase_all_in_file();
      } else {
        erase_all_in_helper(open_helper(helper));
      }
    }
  }

 private:
  CredentialHelper open_helper(const std::string& name) const { return {name, places_.variable("PATH")}; }

  std::vector<std::string> helpers() const {
    // --authfile and its like say where to write.
    if (options_.helpers.empty() || chosen_place(places_, options_)) return {std::string(files_helper)};
    return options_.helpers;
  }

  std::string store_in_helper(const std::string& name, const std::string& key, const std::string& server,
                              const Credentials& credentials) const {
    const CredentialHelper helper = open_helper(name);
    if (has_path(key)) {
      throw Unsupported(concat(helper.name(), " keeps passwords of whole registries, not of ", key));
    }
    helper.store(server, credentials);
    return helper.name();
  }

  std::string store_in_file(const std::string& key, const Credentials& credentials) const {
    if (place_.docker_format && has_path(key)) {
      throw Unsupported(concat("docker's files have entries for whole registries, not for ", key));
    }
    const AuthFile file = read_place(place_).value_or(AuthFile{});
    if (const auto named = find_helper(file, key)) {
      return store_in_helper(named->second, key, named->first, credentials);
    }
    if (!file.store.empty()) return store_in_helper(file.store, key, docker_key(key), credentials);
    const std::string auth = encode_base64(concat(credentials.username, ':', credentials.password));
    rewrite(place_.path, [&](const std::string& text) -> std::optional<std::string> {
      return with_auth_entry(text, place_.path, place_.docker_format ? docker_key(key) : key, auth);
    });
    return place_.path;
  }

  // The key and the helper that credHelpers has for a host.
  static std::optional<std::pair<std::string, std::string>> find_helper(const AuthFile& file,
                                                                        const std::string& key) {
    for (const auto& [host, helper] : file.helpers) {
      if (host_of_key(host, false) == one_name_for_docker_hub(host_of(key))) return std::pair{host, helper};
    }
    return std::nullopt;
  }

  bool erase_in_file(const std::string& key) const {
    const AuthFile file = read_place(place_).value_or(AuthFile{});
    bool found = false;
    if (const auto named = find_helper(file, key); named && !has_path(key)) {
      found |= open_helper(named->second).erase(named->first);
    } else if (!file.store.empty() && !has_path(key)) {
      const CredentialHelper store = open_helper(file.store);
      found |= store.is_installed() && store.erase(docker_key(key));
    }
    const auto entry = find_entry_to_erase(file, key);
    if (!entry) return found;
    rewrite(place_.path, [&](const std::string& text) -> std::optional<std::string> {
      return without_auth_entry(text, place_.path, *entry);
    });
    return true;
  }

  // A key with a path is taken to the letter: logging out of host/a must not log out of host.
  static std::optional<std::string> find_entry_to_erase(const AuthFile& file, const std::string& key) {
    if (has_path(key)) return file.auths.count(key) != 0 ? std::optional(key) : std::nullopt;
    const auto entry = find_entry(file, false, {key});
    return entry ? std::optional(entry->first) : std::nullopt;
  }

  void erase_all_in_file() const {
    const AuthFile file = read_place(place_).value_or(AuthFile{});
    for (const auto& [key, helper] : file.helpers) open_helper(helper).erase(key);
    if (!file.store.empty()) {
      const CredentialHelper store = open_helper(file.store);
      if (store.is_installed()) erase_all_in_helper(store);
    }
    if (file.auths.empty()) return;
    rewrite(place_.path, [&](const std::string& text) -> std::optional<std::string> {
      return without_auth_entries(text, place_.path);
    });
  }

  static void erase_all_in_helper(const CredentialHelper& helper) {
    for (const auto& [server, user] : helper.list()) helper.erase(server);
  }

  const ConfigPlaces& places_;
  const AuthOptions& options_;
  AuthPlace place_;
};

}  // namespace

CredentialKey parse_credential_key(const std::string& text) {
  std::string key = without_scheme(text);
  if (key != text) key = host_of(key);
  while (key.ends_with('/')) key.pop_back();
  if (key.empty()) throw InvalidArgument(concat("\"", text, "\" names no registry"));
  if (!has_path(key)) return {.host = key};
  const Reference reference = parse_reference(key);
  if (!reference.tag.empty() || reference.digest) {
    throw InvalidArgument(concat("reference \"", text, "\" contains tag or digest"));
  }
  if (reference.domain.empty()) {
    throw InvalidArgument(concat("\"", text, "\": \"", host_of(key), "\" is not a registry"));
  }
  return {reference.domain, reference.path};
}

std::string render(const CredentialKey& key) {
  return key.path.empty() ? key.host : concat(key.host, '/', key.path);
}

void check_auth_file(const AuthOptions& options) {
  if (options.auth_file.empty() || sys::stat_at(AT_FDCWD, options.auth_file)) return;
  throw NotFound(
      concat("credential file is not accessible: ", options.auth_file, ": no such file or directory"));
}

std::optional<Credentials> find_credentials(const ConfigPlaces& places, const AuthOptions& options,
                                            const std::string& host, const std::string& path) {
  return Search(places, options, host, path).run();
}

std::string store_credentials(const ConfigPlaces& places, const AuthOptions& options, const std::string& key,
                              const Credentials& credentials) {
  return Editor(places, options).store(key, credentials);
}

bool erase_credentials(const ConfigPlaces& places, const AuthOptions& options, const std::string& key) {
  return Editor(places, options).erase(key);
}

void erase_all_credentials(const ConfigPlaces& places, const AuthOptions& options) {
  Editor(places, options).erase_all();
}

}  // namespace knarr::storage
