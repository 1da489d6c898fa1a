// SPDX-License-Identifier: Apache-2.0
// Names and passwords for registries (containers-auth.json(5)): files, credential helpers, login and logout.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/registry/registries_conf.h"

namespace knarr::storage {

struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // an OAuth2 refresh token; then there is no password
  bool operator==(const Credentials&) const = default;
};

struct AuthOptions {
  std::string auth_file;             // --authfile; empty: the usual places
  std::string compat_file;           // --compat-auth-file (docker's config.json), instead of auth_file
  std::vector<std::string> helpers;  // RegistriesConfig::credential_helpers
};

// What login and logout are told: "host[:port]", "host[:port]/namespace[/repository]", or an URL, of which
// only the host counts.
struct CredentialKey {
  std::string host;
  std::string path;  // may be empty
};
CredentialKey parse_credential_key(const std::string& text);  // throws InvalidArgument
std::string render(const CredentialKey& key);

// Throws unless the file that --authfile names is there: whoever names one to read means it. login makes it.
void check_auth_file(const AuthOptions& options);

// For "host[:port]" and "namespace/repository" (or ""), most specific key first: --authfile,
// REGISTRY_AUTH_FILE or DOCKER_CONFIG/config.json alone, else
// ${XDG_RUNTIME_DIR}/containers/auth.json, ~/.config/containers/auth.json, ~/.docker/config.json,
// ~/.dockercfg. credHelpers and credsStore are asked where the files name them, and the helpers of
// registries.conf in their order. nullopt: none (anonymous). Throws InvalidArgument for a damaged file, Error
// when a helper fails otherwise than by not knowing the host.
std::optional<Credentials> find_credentials(const ConfigPlaces& places, const AuthOptions& options,
                                            const std::string& host, const std::string& path);

// `key`: "host[:port][/path]". Writes where find_credentials looks first, mode 0600; others' entries stay as
// they are. Returns the place: a file's path or a helper's name. Throws as find_credentials, Unsupported for
// a key with a path where a helper keeps the passwords.
std::string store_credentials(const ConfigPlaces& places, const AuthOptions& options, const std::string& key,
                              const Credentials& credentials);
// From that file and from all helpers; false when there were none.
bool erase_credentials(const ConfigPlaces& places, const AuthOptions& options, const std::string& key);
void erase_all_credentials(const ConfigPlaces& places, const AuthOptions& options);

// certs.d (containers-certs.d(5)): what to trust and to show for a host, beside the system's.
struct Certificates {
  std::vector<std::string> authorities;        // *.crt, paths
  std::string client_certificate, client_key;  // NAME.cert, NAME.key
};
// `directory`: --cert-dir; empty: HOST[:PORT]/ below ~/.config/containers/certs.d, /etc/containers/certs.d,
// /etc/docker/certs.d; the first that exists. Throws InvalidArgument for a certificate without its key.
Certificates find_certificates(const ConfigPlaces& places, const std::string& directory,
                               const std::string& host);

}  // namespace knarr::storage
