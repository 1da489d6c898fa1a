// SPDX-License-Identifier: Apache-2.0
// auth.json, docker's config.json and .dockercfg as documents: reading them, and changing one entry.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "storage/registry/credentials.h"

namespace knarr::storage {

struct AuthEntry {
  std::string auth;  // base64 of "user:password"
  std::string username, password;
  std::string identity_token;
};

struct AuthFile {
  std::map<std::string, AuthEntry> auths;
  std::map<std::string, std::string> helpers;  // credHelpers: host → suffix of docker-credential-
  std::string store;                           // credsStore: the helper for all others
};

// An empty text is an empty document. `legacy`: .dockercfg, which has its entries at the top. Throws
// InvalidArgument that names the file.
AuthFile parse_auth_file(std::string_view json, const std::string& file, bool legacy);

// The document (none yet: empty) with the entry `key` replaced, with it taken away, with all taken away; the
// rest stays as it is.
std::string with_auth_entry(std::string_view json, const std::string& file, const std::string& key,
                            const std::string& auth);
std::string without_auth_entry(std::string_view json, const std::string& file, const std::string& key);
std::string without_auth_entries(std::string_view json, const std::string& file);

}  // namespace knarr::storage
