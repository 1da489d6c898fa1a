// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/login_place.h"
#include "cli/commands/registry_verbs.h"

namespace knarr::cli {

namespace {

int logout_of_all(const Invocation& invocation, const LoginPlace& place) {
  storage::erase_all_credentials(place.places, place.auth);
  invocation.out.line("Removed login credentials for all registries");
  return 0;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const LoginPlace place = open_login_place(arguments);
  if (arguments.boolean("all")) {
    if (!arguments.positional().empty()) throw UsageError("--all takes no arguments");
    return logout_of_all(invocation, place);
  }
  const storage::CredentialKey key = read_login_key(place, arguments);
  const std::string name = render(key);
  if (storage::erase_credentials(place.places, place.auth, name)) {
    invocation.out.line("Removed login credentials for ", name);
    return 0;
  }
  if (!place.find(key)) throw NotFound(concat("not logged into ", name));
  // They are in a file that others write, or belong to a registry or namespace around this one.
  NotFound error(concat("not logged into ", name, " by this program, though there are credentials for it"));
  error.set_hint("they are in docker's file, or of the whole registry: log out there");
  throw error;
}

}  // namespace

constinit const Verb logout_verb = implement(logout_description, run);

}  // namespace knarr::cli
