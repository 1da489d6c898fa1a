// SPDX-License-Identifier: Apache-2.0
#include "storage/meta/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

TEST(JsonReader, ErrorNamesThePlaceAndBothTypes) {
  const Json document = parse_json(R"({"layers": [{"digest": "x"}, {"digest": 3}]})", "manifest");
  const JsonReader layer = JsonReader(document, "manifest").read_array("layers").at(1);
  EXPECT_EQ(error_text<InvalidArgument>([&] { layer.read_string("digest"); }),
            "manifest.layers[1].digest: expected a string, found number");
}

TEST(JsonReader, KeysThatLookLikePathsAreQuotedInErrors) {
  const Json document = parse_json(R"({"annotations": {"a.b": 1}})", "manifest");
  EXPECT_EQ(
      error_text<InvalidArgument>([&] { JsonReader(document, "manifest").read_string_map("annotations"); }),
      "manifest.annotations[\"a.b\"]: expected a string, found number");
}

TEST(JsonReader, NullCountsAsMissing) {
  const Json document = parse_json(R"({"Cmd": null, "Labels": {"a": null}})", "config");
  const JsonReader reader(document, "config");
  EXPECT_FALSE(reader.has("Cmd"));
  EXPECT_THAT(reader.read_strings("Cmd"), ElementsAre());
  EXPECT_THAT(reader.read_string_map("Labels"), ElementsAre(Pair("a", "")));
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.get("Cmd"); }), "config.Cmd: missing");
}

TEST(JsonReader, NumbersMustBeIntegersThatFit) {
  const Json document =
      parse_json(R"({"float": 1.0, "huge": 18446744073709551615, "less": -1, "text": "1"})", "d");
  const JsonReader reader(document, "d");
  EXPECT_EQ(reader.read_unsigned("huge"), 18446744073709551615u);
  EXPECT_EQ(reader.read_int("less"), -1);
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_int("float"); }),
            "d.float: expected an integer, found number");
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_int("huge"); }), "d.huge: number out of range");
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_unsigned("less"); }),
            "d.less: number must not be negative");
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_int("text"); }),
            "d.text: expected an integer, found string");
}

TEST(JsonReader, NulInStringsAndKeysIsRefused) {
  const Json document = parse_json(R"({"User": "0\u0000", "Labels": {"a\u0000b": ""}})", "config");
  const JsonReader reader(document, "config");
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_string("User"); }),
            "config.User: contains a NUL character");
  EXPECT_EQ(error_text<InvalidArgument>([&] { reader.read_string_map("Labels"); }),
            "config.Labels: a key contains a NUL character");
}

TEST(JsonReader, MemberOfSomethingThatIsNoObjectIsAnError) {
  const Json document = parse_json("[1]", "manifest");
  EXPECT_EQ(error_text<InvalidArgument>([&] { JsonReader(document, "manifest").has("layers"); }),
            "manifest: expected an object, found array");
}

TEST(ParseJson, NestingIsLimitedAlsoInsideInvalidDocuments) {
  EXPECT_NO_THROW(parse_json(std::string(64, '[') + std::string(64, ']'), "d"));
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_json(std::string(65, '[') + std::string(65, ']'), "d"); }),
            "d: nested deeper than 64 levels");
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_json(std::string(1u << 20, '['), "d"); }),
            "d: nested deeper than 64 levels");
}

TEST(ParseJson, BracketsInsideStringsDoNotCountAsNesting) {
  EXPECT_NO_THROW(parse_json("[\"" + std::string(100, '[') + R"(\"[[)" + "\"]", "d"));
}

TEST(ParseJson, BadDocumentsAreRefusedByName) {
  EXPECT_THAT(error_text<InvalidArgument>([] { parse_json("{", "config"); }),
              StartsWith("config: not valid JSON: "));
  EXPECT_THAT(error_text<InvalidArgument>([] { parse_json("{} x", "config"); }), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_text<InvalidArgument>([] { parse_json("", "config"); }), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_text<InvalidArgument>([] { parse_json("\"\xff\"", "config"); }),
              HasSubstr("not valid JSON"));
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_json("[1, 2]", "config", 5); }),
            "config: 6 bytes are more than the limit of 5");
}

TEST(JsonReader, NewerVersionIsRefusedByName) {
  const Json newer = parse_json(R"({"version": 2})", "image record");
  EXPECT_EQ(error_text<Unsupported>([&] { JsonReader(newer, "image record").check_version(1); }),
            "image record: version 2 was written by a newer knarr (this one knows 1)");
  EXPECT_NO_THROW(JsonReader(newer, "image record").check_version(2));
  const Json without = parse_json("{}", "image record");
  EXPECT_EQ(error_text<InvalidArgument>([&] { JsonReader(without, "image record").check_version(1); }),
            "image record.version: missing");
}

TEST(RenderJson, BytesThatAreNoUtf8AreReplacedNotThrownAt) {
  EXPECT_EQ(render_json(Json{{"b", "\xff"}, {"a", 1}}), "{\"a\":1,\"b\":\"\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace knarr::storage
