// SPDX-License-Identifier: Apache-2.0
// How registries are spoken to, in every command that does.
#pragma once

#include <optional>
#include <string>

#include "storage/registry/credentials.h"
#include "storage/registry/registries_conf.h"
#include "storage/registry/registry.h"

namespace knarr::storage {

struct RegistryAccess {
  ConfigPlaces places;
  AuthOptions auth;
  std::optional<Credentials> credentials;  // --creds: instead of what the files say
  std::string certificate_directory;       // --cert-dir
  std::optional<bool> verify_tls;          // --tls-verify: instead of `insecure`
  RetryPolicy retry;
};
// `source.reference.domain` with what belongs to it.
RegistryOptions registry_options(const RegistryAccess& access, const PullSource& source);

}  // namespace knarr::storage
