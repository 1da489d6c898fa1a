// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/token.h"

#include <algorithm>

#include "storage/content/base64.h"
#include "storage/registry/documents_json.h"

namespace knarr::storage {
namespace {

using std::chrono::seconds;

constexpr std::size_t max_token_bytes = 1u << 20;

std::string parameter(const Challenge& challenge, const char* name) {
  const auto found = challenge.parameters.find(name);
  return found == challenge.parameters.end() ? std::string() : found->second;
}

HttpRequest plan_refresh(Url realm, const std::string& service, const Scopes& scopes,
                         const std::string& refresh_token) {
  HttpRequest request{.method = "POST", .url = std::move(realm)};
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  std::string all;
  for (const std::string& scope : scopes) all += (all.empty() ? "" : " ") + scope;
  request.body =
      concat("grant_type=refresh_token&service=", escape_form(service),
             "&client_id=knarr&scope=", escape_form(all), "&refresh_token=", escape_form(refresh_token));
  return request;
}

}  // namespace

std::string pull_scope(const std::string& repository) {
  return concat("repository:", repository, ":pull");
}

std::string push_scope(const std::string& repository) {
  return concat("repository:", repository, ":pull,push");
}

std::string basic_authorization(const Credentials& credentials) {
  return "Basic " + encode_base64(concat(credentials.username, ':', credentials.password));
}

HttpRequest plan_token_request(const Challenge& bearer, const Scopes& scopes,
                               const std::optional<Credentials>& credentials, bool allow_http) {
  Url realm =
      with_context("the registry's token server", [&] { return parse_url(parameter(bearer, "realm")); });
  if (realm.scheme != "https" && !allow_http) {
    throw InvalidArgument(
        concat("the registry's token server ", realm.text, " would get passwords over plain HTTP"));
  }
  const std::string service = parameter(bearer, "service");
  if (credentials && !credentials->identity_token.empty()) {
    return plan_refresh(std::move(realm), service, scopes, credentials->identity_token);
  }
  if (credentials) realm = add_query(realm, "account", credentials->username);
  if (!service.empty()) realm = add_query(realm, "service", service);
  for (const std::string& scope : scopes) realm = add_query(realm, "scope", scope);
  HttpRequest request{.url = std::move(realm)};
  if (credentials) request.authorization = basic_authorization(*credentials);
  return request;
}

void throw_refused(const std::string& host, int status, std::string_view body) {
  const std::string words = describe_errors(body);
  Refused error(status == 401 ? concat("unauthorized: ", words.empty() ? "authentication required" : words)
                              : concat("denied: ", words.empty() ? "access to it is forbidden" : words));
  error.set_hint(concat("log in with 'knarr login ", host, "', as somebody who may do this"));
  throw error;
}

void Authorizer::learn(const HttpHeaders& headers, bool allow_http) {
  const std::lock_guard lock(mutex_);
  allow_http_ = allow_http;
  for (const std::string& field : headers.all("WWW-Authenticate")) {
    for (Challenge& challenge : parse_challenges(field)) {
      if (challenge.scheme == "bearer")
        bearer_ = std::move(challenge);
      else if (challenge.scheme == "basic")
        basic_ = std::move(challenge);
    }
  }
}

Scopes Authorizer::demanded_scopes() {
  const std::lock_guard lock(mutex_);
  Scopes scopes;
  if (bearer_) {
    if (std::string scope = parameter(*bearer_, "scope"); !scope.empty()) scopes.push_back(std::move(scope));
  }
  return scopes;
}

std::string Authorizer::authorize(const Scopes& scopes) {
  const std::lock_guard lock(mutex_);
  if (bearer_) {
    const auto known = tokens_.find(scopes);
    if (known != tokens_.end() && known->second.valid_until > std::chrono::steady_clock::now()) {
      return "Bearer " + known->second.text;
    }
    Token token = fetch_token(*bearer_, scopes, allow_http_);
    const std::string authorization = "Bearer " + token.text;
    tokens_[scopes] = std::move(token);
    return authorization;
  }
  if (basic_ && credentials_ && credentials_->identity_token.empty())
    return basic_authorization(*credentials_);
  return {};
}

void Authorizer::forget(const Scopes& scopes) {
  const std::lock_guard lock(mutex_);
  tokens_.erase(scopes);
}

Authorizer::Token Authorizer::fetch_token(const Challenge& bearer, const Scopes& scopes, bool allow_http) {
  const HttpRequest request = plan_token_request(bearer, scopes, credentials_, allow_http);
  return with_context(concat("getting a token from ", render_host(request.url)), [&] {
    const HttpReply reply = fetch_with_retries(client_, request, max_token_bytes, retry_);
    if (reply.status == 401 || reply.status == 403) throw_refused(host_, reply.status, reply.body);
    if (reply.status / 100 != 2) throw Error(describe_status(reply.status, reply.body));
    TokenReply token = parse_token_reply(reply.body);
    // Servers that say nothing mean a minute. One that is about to end would not survive the request.
    constexpr seconds least(60), margin(10);
    const seconds lifetime = std::max(least, seconds(token.expires_in)) - margin;
    return Token{std::move(token.token), std::chrono::steady_clock::now() + lifetime};
  });
}

}  // namespace knarr::storage
