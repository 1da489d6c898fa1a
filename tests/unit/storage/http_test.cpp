// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/registry/blob_source.h"
#include "storage/registry/token.h"

namespace knarr::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

HttpRequest get(const std::string& url) {
  HttpRequest request{.url = parse_url(url)};
  request.authorization = "Bearer secret";
  return request;
}

TEST(Url, PartsAndDefaults) {
  const Url url = parse_url("HTTPS://User:Pass@Example.COM/v2/?a=b#c");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.text.find("Pass"), std::string::npos);
  EXPECT_EQ(parse_url("http://[::1]:5000/").host, "[::1]");
  EXPECT_EQ(render_host(parse_url("http://h:5000/")), "h:5000");
  EXPECT_EQ(render_host(parse_url("https://h:443/")), "h");
}

TEST(Url, OnlyHttp) {
  for (const char* text : {"", "file:///etc/passwd", "ftp://h/", "not a url", "https://"}) {
    EXPECT_THROW(parse_url(text), InvalidArgument) << text;
  }
}

TEST(Url, QueriesAreEscaped) {
  EXPECT_EQ(add_query(parse_url("https://h/t"), "scope", "repository:a/b:pull,push").text,
            "https://h/t?scope=repository%3Aa%2Fb%3Apull%2Cpush");
  EXPECT_EQ(add_query(parse_url("https://h/t?x=1"), "y", "a b&c").text, "https://h/t?x=1&y=a%20b%26c");
}

TEST(Redirect, AuthorizationStaysWithItsOrigin) {
  const HttpRequest request = get("https://registry.example/v2/a/blobs/x");
  EXPECT_EQ(plan_redirect(request, "/elsewhere").authorization, "Bearer secret");
  EXPECT_EQ(plan_redirect(request, "https://registry.example:443/x").authorization, "Bearer secret");
  EXPECT_EQ(plan_redirect(request, "https://cdn.example/x").authorization, "");
  EXPECT_EQ(plan_redirect(request, "http://registry.example/x").authorization, "");
  EXPECT_EQ(plan_redirect(request, "https://registry.example:8443/x").authorization, "");
  EXPECT_EQ(plan_redirect(request, "https://sub.registry.example/x").authorization, "");
}

TEST(Redirect, WhatOnceLeftDoesNotComeBack) {
  const HttpRequest away = plan_redirect(get("https://registry.example/x"), "https://cdn.example/x");
  EXPECT_EQ(plan_redirect(away, "https://registry.example/x").authorization, "");
}

TEST(Redirect, OnlyToHttp) {
  EXPECT_THROW(plan_redirect(get("https://h/x"), "file:///etc/passwd"), TransferError);
  EXPECT_THROW(plan_redirect(get("https://h/x"), "gopher://h/"), TransferError);
}

TEST(Redirect, ABodyIsNotSentElsewhere) {
  HttpRequest put = get("https://h/x");
  EXPECT_TRUE(is_redirect(302, put));
  EXPECT_FALSE(is_redirect(200, put));
  EXPECT_FALSE(is_redirect(304, put));
  put.method = "PUT";
  put.body = "manifest";
  EXPECT_FALSE(is_redirect(307, put));
  EXPECT_FALSE(is_redirect(302, put));
}

TEST(HttpClient, TriesAgainAfterAHostThatCannotBeResolved) {
  HttpClient client({});
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_THROW(client.fetch(get("http://registry.invalid/v2/"), 1), TransferError);
  }
}

TEST(Retry, DelaysGrowAndAreSpread) {
  const RetryPolicy policy;
  EXPECT_EQ(plan_delay(policy, 1, std::nullopt, 0), milliseconds(125));
  EXPECT_EQ(plan_delay(policy, 2, std::nullopt, 0), milliseconds(250));
  EXPECT_EQ(plan_delay(policy, 3, std::nullopt, 0.5), milliseconds(750));
  EXPECT_LE(plan_delay(policy, 1000, std::nullopt, 0.999), seconds(30));
}

TEST(Retry, TheServerAndTheUserAreObeyed) {
  const RetryPolicy fixed{.delay = milliseconds(10)};
  EXPECT_EQ(plan_delay(fixed, 9, std::nullopt, 0.5), milliseconds(10));
  EXPECT_EQ(plan_delay(fixed, 1, 7, 0.5), seconds(7));
  EXPECT_EQ(plan_delay({}, 1, 86400, 0.5), seconds(90));
}

TEST(Retry, StatusesOfTheMoment) {
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_TRUE(is_worth_repeating(status)) << status;
  for (const int status : {200, 401, 403, 404, 416, 501}) EXPECT_FALSE(is_worth_repeating(status)) << status;
}

HttpHeaders content_range(const std::string& value) {
  HttpHeaders headers;
  headers.add("Content-Range", value);
  return headers;
}

TEST(BlobRange, BytesBeforeTheWantedOnes) {
  EXPECT_EQ(bytes_to_skip(206, content_range("bytes 5-9/10"), 5, 10), 0u);
  EXPECT_EQ(bytes_to_skip(206, content_range("bytes 5-9/*"), 5, 10), 0u);
  EXPECT_EQ(bytes_to_skip(200, {}, 5, 10), 5u);
  EXPECT_EQ(bytes_to_skip(200, {}, 0, 10), 0u);
}

TEST(BlobRange, WhatIsNoAnswerToIt) {
  EXPECT_EQ(bytes_to_skip(206, content_range("bytes 6-9/10"), 5, 10), std::nullopt);
  EXPECT_EQ(bytes_to_skip(206, content_range("bytes 0-4/10"), 5, 10), std::nullopt);
  EXPECT_EQ(bytes_to_skip(206, {}, 5, 10), std::nullopt);
  EXPECT_EQ(bytes_to_skip(416, {}, 5, 10), std::nullopt);
  EXPECT_THROW(bytes_to_skip(206, content_range("bytes 5-10/11"), 5, 10), InvalidArgument);
}

Challenge bearer(const std::string& realm) {
  return {.scheme = "bearer", .parameters = {{"realm", realm}, {"service", "a registry"}}};
}

TEST(TokenRequest, AnonymousIsAGetWithoutPassword) {
  const HttpRequest request =
      plan_token_request(bearer("https://auth.example/token"), {pull_scope("a/b")}, std::nullopt, false);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.url.text,
            "https://auth.example/token?service=a%20registry&scope=repository%3Aa%2Fb%3Apull");
  EXPECT_EQ(request.authorization, "");
}

TEST(TokenRequest, PasswordsAreSentAsBasic) {
  const HttpRequest request =
      plan_token_request(bearer("https://auth.example/token?x=1"), {},
                         Credentials{.username = "Aladdin", .password = "open sesame"}, false);
  EXPECT_EQ(request.authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(request.url.text, "https://auth.example/token?x=1&account=Aladdin&service=a%20registry");
}

TEST(TokenRequest, IdentityTokensArePosted) {
  const HttpRequest request =
      plan_token_request(bearer("https://auth.example/token"), {push_scope("a"), pull_scope("b")},
                         Credentials{.username = "u", .identity_token = "r+1"}, false);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.authorization, "");
  EXPECT_EQ(
      request.body,
      "grant_type=refresh_token&service=a%20registry&client_id=knarr&scope=repository%3Aa%3Apull%2Cpush%20"
      "repository%3Ab%3Apull&refresh_token=r%2B1");
}

TEST(TokenRequest, NoPasswordOverPlainHttpUnlessAllowed) {
  const Credentials credentials{.username = "u", .password = "p"};
  EXPECT_THROW(plan_token_request(bearer("http://auth.example/token"), {}, credentials, false),
               InvalidArgument);
  EXPECT_NE(plan_token_request(bearer("http://auth.example/token"), {}, credentials, true).authorization, "");
  EXPECT_THROW(plan_token_request(bearer("file:///etc/passwd"), {}, credentials, true), InvalidArgument);
}

}  // namespace
}  // namespace knarr::storage
