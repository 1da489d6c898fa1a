// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/login_place.h"

namespace knarr::cli {

LoginPlace open_login_place(const Arguments& arguments) {
  LoginPlace place{.places = storage::config_places()};
  place.config = storage::load_registries_config(place.places);
  place.auth = {.auth_file = arguments.text("authfile"),
                .compat_file = arguments.text("compat-auth-file"),
                .helpers = place.config.credential_helpers};
  return place;
}

storage::CredentialKey read_login_key(const LoginPlace& place, const Arguments& arguments) {
  if (!arguments.positional().empty()) return storage::parse_credential_key(arguments.at(0));
  if (place.config.search.empty()) {
    throw InvalidArgument("no registries found in registries.conf, a registry must be provided");
  }
  return storage::parse_credential_key(place.config.search.front());
}

}  // namespace knarr::cli
