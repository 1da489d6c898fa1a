// SPDX-License-Identifier: Apache-2.0
// Proving to a registry who asks: what its challenges demand (distribution-spec, "token authentication"; RFC
// 6749 for identity tokens).
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/registry/credentials.h"
#include "storage/registry/http.h"

namespace knarr::storage {

// What may be done with what, as token servers understand it; several are asked for at once.
using Scopes = std::vector<std::string>;
std::string pull_scope(const std::string& repository);
std::string push_scope(const std::string& repository);  // and pull
inline const std::string catalog_scope = "registry:catalog:*";

std::string basic_authorization(const Credentials& credentials);

// The request that fetches a token: GET, with name and password if there are any, or POST with a refresh
// token. Throws InvalidArgument for a challenge without a usable realm, and for a realm of http unless
// `allow_http`: passwords and tokens would travel in the clear. Pure.
HttpRequest plan_token_request(const Challenge& bearer, const Scopes& scopes,
                               const std::optional<Credentials>& credentials, bool allow_http);

// The authorization of one registry's requests. Threads may share it.
class Authorizer {
 public:
  Authorizer(HttpClient& client, std::string host, std::optional<Credentials> credentials, RetryPolicy retry)
      : client_(client), host_(std::move(host)), credentials_(std::move(credentials)), retry_(retry) {}

  // What the registry itself demands (never somebody it redirected to).
  void learn(const HttpHeaders& headers, bool allow_http);
  // The scopes the last challenge named, if it did.
  Scopes demanded_scopes();
  // The value of the Authorization field for `scopes`; empty where none is demanded. Fetches a token when
  // there is none that is valid for a while.
  std::string authorize(const Scopes& scopes);
  // A token was refused: it is not used again.
  void forget(const Scopes& scopes);

 private:
  struct Token {
    std::string text;
    std::chrono::steady_clock::time_point valid_until;
  };
  Token fetch_token(const Challenge& bearer, const Scopes& scopes, bool allow_http);

  HttpClient& client_;
  std::string host_;
  std::optional<Credentials> credentials_;
  RetryPolicy retry_;
  std::mutex mutex_;  // held while a token is fetched: who needs the same one waits for it
  std::optional<Challenge> basic_, bearer_;
  bool allow_http_ = false;
  std::map<Scopes, Token> tokens_;
};

// The registry, or who gives its tokens, will not have this user do this.
class Refused : public Error {
 public:
  using Error::Error;
};
// Throws Refused: "unauthorized" or "denied", with the words of the answer and the way out.
[[noreturn]] void throw_refused(const std::string& host, int status, std::string_view body);

}  // namespace knarr::storage
