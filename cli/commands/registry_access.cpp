// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/registry_access.h"

#include "cli/quote.h"
#include "engine/time_format.h"

namespace knarr::cli {

namespace {

std::chrono::milliseconds read_delay(const std::string& text) {
  const auto duration = engine::parse_duration(text);
  if (!duration || *duration < 0)
    throw UsageError(concat("invalid duration ", quote_go(text), " for --retry-delay: expected 2s or 500ms"));
  return std::chrono::milliseconds(*duration / 1'000'000);
}

storage::Credentials read_credentials(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0) {
    throw UsageError("--creds needs USER:PASSWORD; 'knarr login' asks for a password");
  }
  return {.username = text.substr(0, colon), .password = text.substr(colon + 1)};
}

}  // namespace

storage::RegistryAccess read_registry_access(const Arguments& arguments) {
  storage::RegistryAccess access;
  access.places = storage::config_places();
  access.auth.auth_file = arguments.text("authfile");
  storage::check_auth_file(access.auth);
  access.certificate_directory = arguments.text("cert-dir");
  if (const auto text = arguments.find_text("creds")) access.credentials = read_credentials(*text);
  if (arguments.given("tls-verify")) access.verify_tls = arguments.boolean("tls-verify");
  if (!arguments.knows("retry")) return access;
  access.retry.count = static_cast<int>(std::min<std::int64_t>(arguments.integer("retry"), 1000));
  if (const auto text = arguments.find_text("retry-delay")) access.retry.delay = read_delay(*text);
  return access;
}

}  // namespace knarr::cli
