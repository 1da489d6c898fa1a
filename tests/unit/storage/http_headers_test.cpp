// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/http_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(HttpHeaders, NamesAreFoundInAnyCase) {
  HttpHeaders headers;
  headers.add_line("Docker-Content-Digest:  sha256:ab \r\n");
  headers.add_line("no field");
  EXPECT_EQ(headers.get("docker-content-digest"), "sha256:ab");
  EXPECT_EQ(headers.get("nothing"), "");
}

TEST(Challenge, BearerWithQuotedCommas) {
  const auto challenges = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push")");
  ASSERT_EQ(challenges.size(), 1u);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_THAT(challenges[0].parameters,
              UnorderedElementsAre(Pair("realm", "https://auth.example/token"), Pair("service", "reg"),
                                   Pair("scope", "repository:a/b:pull,push")));
}

TEST(Challenge, SeveralInOneField) {
  const auto challenges = parse_challenges(R"(Basic realm="a \"b\"", BEARER Realm=https://x/t , service=s)");
  ASSERT_EQ(challenges.size(), 2u);
  EXPECT_EQ(challenges[0].scheme, "basic");
  EXPECT_EQ(challenges[0].parameters.at("realm"), "a \"b\"");
  EXPECT_EQ(challenges[1].parameters.at("realm"), "https://x/t");
  EXPECT_EQ(challenges[1].parameters.at("service"), "s");
}

TEST(Challenge, OneWithoutParameters) {
  const auto challenges = parse_challenges("Negotiate, Basic realm=\"r\"");
  ASSERT_EQ(challenges.size(), 2u);
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_EQ(challenges[1].scheme, "basic");
}

TEST(Challenge, AnUnendedQuoteEndsTheList) {
  EXPECT_TRUE(parse_challenges("Bearer realm=\"https://x").empty());
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges(",,,").empty());
}

TEST(RetryAfter, SecondsAndDates) {
  EXPECT_EQ(parse_retry_after("120", 0), 120);
  EXPECT_EQ(parse_retry_after(" 0 ", 0), 0);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), 60);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 400), 0);
}

TEST(RetryAfter, NonsenseIsNothingAndAgesAreLong) {
  EXPECT_EQ(parse_retry_after("", 0), std::nullopt);
  EXPECT_EQ(parse_retry_after("soon", 0), std::nullopt);
  EXPECT_GT(parse_retry_after("99999999999999999999", 0), 1'000'000);
}

TEST(ContentRange, FirstLastTotal) {
  const auto range = parse_content_range("bytes 5-9/10");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5u);
  EXPECT_EQ(range->last, 9u);
  EXPECT_EQ(range->total, 10u);
  EXPECT_EQ(parse_content_range("bytes 5-9/*")->total, std::nullopt);
}

TEST(ContentRange, WhatIsNoneIsRefused) {
  for (const char* text : {"", "bytes", "bytes */10", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9",
                           "items 5-9/10", "bytes -5-9/10", "bytes 5-9/x"}) {
    EXPECT_FALSE(parse_content_range(text)) << text;
  }
}

TEST(UploadRange, TheLastByte) {
  EXPECT_EQ(parse_upload_range("0-99"), 99u);
  EXPECT_EQ(parse_upload_range(" bytes=0-0 "), 0u);
  for (const char* text : {"", "99", "0-", "5-99", "-99", "0-x", "bytes 0-99"}) {
    EXPECT_FALSE(parse_upload_range(text)) << text;
  }
}

TEST(Link, TheNextPage) {
  EXPECT_EQ(find_next_link({R"(</v2/a/tags/list?last=b&n=1>; rel="next")"}), "/v2/a/tags/list?last=b&n=1");
  EXPECT_EQ(find_next_link({R"(<https://h/1>; rel=prev, <https://h/3>; title="a, b"; rel=next)"}),
            "https://h/3");
  EXPECT_EQ(find_next_link({R"(<https://h/1>; rel="prev")", R"(</2>;rel=NEXT)"}), "/2");
}

TEST(Link, NoNextPage) {
  EXPECT_EQ(find_next_link({}), "");
  EXPECT_EQ(find_next_link({"", "next", "<unended", R"(</1>; rel="prev")"}), "");
}

TEST(MediaType, ParametersAreLeftOut) {
  EXPECT_EQ(media_type_of("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(media_type_of(""), "");
}

}  // namespace
}  // namespace knarr::storage
