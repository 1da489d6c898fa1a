// SPDX-License-Identifier: Apache-2.0
// What `login` and `logout` are about: a registry and the file that is given or usual.
#pragma once

#include "cli/flags.h"
#include "storage/registry/credentials.h"

namespace knarr::cli {

struct LoginPlace {
  storage::ConfigPlaces places;
  storage::RegistriesConfig config;
  storage::AuthOptions auth;

  std::optional<storage::Credentials> find(const storage::CredentialKey& key) const {
    return storage::find_credentials(places, auth, key.host, key.path);
  }
};

LoginPlace open_login_place(const Arguments& arguments);
// The argument, or the first search registry. Throws InvalidArgument when there is neither.
storage::CredentialKey read_login_key(const LoginPlace& place, const Arguments& arguments);

}  // namespace knarr::cli
