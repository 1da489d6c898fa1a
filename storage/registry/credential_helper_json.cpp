// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"
#include "rootless/sys/program.h"
#include "storage/meta/json_reader.h"
#include "storage/registry/credential_helper.h"

namespace knarr::storage {
namespace {

// Of the library all helpers are written with; the helper says so and fails.
constexpr std::string_view not_found = "credentials not found";
// The user name of a secret that is an identity token.
constexpr std::string_view token_user = "<token>";

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

CredentialHelper::CredentialHelper(const std::string& name, const std::string& path_variable)
    : name_("docker-credential-" + name) {
  if (name.empty() || name.find('/') != std::string::npos) {
    throw InvalidArgument(concat("\"", name, "\" is not the name of a credential helper"));
  }
  program_ = sys::find_program(name_, path_variable);
}

CredentialHelper::Answer CredentialHelper::run(const std::string& act, const std::string& input) const {
  if (!is_installed()) throw NotFound(concat("credential helper ", name_, " is not in PATH"));
  const sys::FilterResult result = sys::run_filter({program_, act}, sys::own_environment(), input);
  if (result.status.code == 0) return {true, result.output};
  // Helpers write their errors to standard output.
  const std::string words = first_line(result.output.empty() ? result.errors : result.output);
  if (words.starts_with(not_found)) return {false, {}};
  throw Error(
      concat(name_, ' ', act, ": ", words.empty() ? concat("exit status ", result.status.code) : words));
}

std::optional<Credentials> CredentialHelper::get(const std::string& server) const {
  const Answer answer = run("get", server);
  if (!answer.is_known) return std::nullopt;
  const Json document = parse_json(answer.text, name_);
  const JsonReader reader(document, name_);
  const std::string user = reader.read_string("Username");
  const std::string secret = reader.read_string("Secret");
  if (user == token_user) return Credentials{.identity_token = secret};
  if (user.empty() && secret.empty()) return std::nullopt;
  return Credentials{.username = user, .password = secret};
}

void CredentialHelper::store(const std::string& server, const Credentials& credentials) const {
  const bool is_token = !credentials.identity_token.empty();
  run("store", render_json({{"ServerURL", server},
                            {"Username", is_token ? std::string(token_user) : credentials.username},
                            {"Secret", is_token ? credentials.identity_token : credentials.password}}));
}

bool CredentialHelper::erase(const std::string& server) const {
  // Some fail and some succeed when there is nothing to erase.
  return get(server).has_value() && run("erase", server).is_known;
}

std::map<std::string, std::string> CredentialHelper::list() const {
  const Answer answer = run("list", "");
  if (!answer.is_known || answer.text.empty()) return {};
  const Json document = parse_json(answer.text, name_);
  if (document.is_null()) return {};
  return JsonReader(document, name_).as_string_map();
}

}  // namespace knarr::storage
