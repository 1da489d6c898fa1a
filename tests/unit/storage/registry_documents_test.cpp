// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "storage/registry/documents_json.h"
#include "storage/registry/registry.h"

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ServerErrors, MessagesInOneLine) {
  EXPECT_EQ(describe_errors(R"({"errors":[{"code":"DENIED","message":"no\nway."},{"code":"UNKNOWN"}]})"),
            "no way; UNKNOWN");
  EXPECT_EQ(describe_status(503, "<html>"), "the server answered 503 (service unavailable)");
  EXPECT_EQ(describe_status(599, R"({"errors":[{"message":"x"}]})"), "the server answered 599: x");
}

TEST(ServerErrors, WhatIsNoneSaysNothing) {
  for (const char* body : {"", "<html>", "[]", "{}", R"({"errors":7})", R"({"errors":[7]})"}) {
    EXPECT_EQ(describe_errors(body), "") << body;
  }
}

TEST(Token, EitherName) {
  EXPECT_EQ(parse_token_reply(R"({"token":"a","expires_in":300})").expires_in, 300);
  EXPECT_EQ(parse_token_reply(R"({"access_token":"b"})").token, "b");
  EXPECT_EQ(parse_token_reply(R"({"token":"","access_token":"b"})").token, "b");
}

TEST(Token, WhatIsNoneIsRefused) {
  for (const char* body : {"", "{}", "[]", R"({"token":7})", R"({"token":"a\r\nX: y"})"}) {
    EXPECT_THROW(parse_token_reply(body), InvalidArgument) << body;
  }
}

TEST(Lists, NullIsEmpty) {
  EXPECT_THAT(parse_tags(R"({"name":"a","tags":["1","2"]})"), ElementsAre("1", "2"));
  EXPECT_THAT(parse_tags(R"({"name":"a","tags":null})"), ElementsAre());
  EXPECT_THAT(parse_catalog(R"({"repositories":["a/b"]})"), ElementsAre("a/b"));
}

constexpr const char* oci_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* oci_list = "application/vnd.oci.image.index.v1+json";

TEST(ManifestType, ContentTypeAndDocumentMustAgree) {
  EXPECT_EQ(manifest_type(concat(oci_type, "; charset=utf-8"), R"({"schemaVersion":2})"), oci_type);
  EXPECT_EQ(manifest_type("text/plain", concat(R"({"mediaType":")", oci_list, R"("})")), oci_list);
  EXPECT_THROW(manifest_type(oci_type, concat(R"({"mediaType":")", oci_list, R"("})")), InvalidArgument);
}

TEST(ManifestType, AVagueOneIsToldByTheDocument) {
  EXPECT_EQ(manifest_type("", R"({"schemaVersion":2,"manifests":[]})"), oci_list);
  EXPECT_EQ(manifest_type("application/json", R"({"schemaVersion":2,"layers":[]})"), oci_type);
}

TEST(ManifestType, SchemaOneAndStrangersAreRefused) {
  EXPECT_THROW(manifest_type("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}"), Unsupported);
  EXPECT_THROW(manifest_type(oci_type, R"({"schemaVersion":1})"), InvalidArgument);
  EXPECT_THROW(manifest_type("application/vnd.example+json", "{}"), Unsupported);
  EXPECT_THROW(manifest_type(oci_type, "<html>"), InvalidArgument);
}

TEST(ApiHost, DockersHubHasAnother) {
  EXPECT_EQ(registry_host("docker.io"), "registry-1.docker.io");
  EXPECT_EQ(registry_host("registry.example:5000"), "registry.example:5000");
}

}  // namespace
}  // namespace knarr::storage
