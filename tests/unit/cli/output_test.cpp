// SPDX-License-Identifier: Apache-2.0
// What users and scripts read: tables, reports, JSON, log lines, sizes.
#include <gmock/gmock.h>

#include "cli/errors.h"
#include "cli/log.h"
#include "cli/quote.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "cli/template/template.h"
#include "cli/text.h"
#include "cli/units.h"

namespace knarr::cli {
namespace {

using templates::render_report;
using templates::Report;
using templates::Value;

TEST(Table, AlignsColumnsAndLeavesTheLastAlone) {
  EXPECT_EQ(render_table({{"ID", "A LONGER TITLE", "NAME"}, {"1", "x", "web"}}),
            "ID          A LONGER TITLE  NAME\n"
            "1           x               web\n");
}

TEST(Table, CountsCharactersNotBytes) {
  EXPECT_EQ(render_table({{"ééééééééééééé", "x"}, {"a", "y"}}), "ééééééééééééé  x\na              y\n");
}

TEST(Shorten, KeepsWhatFits) {
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("sh -c echo hi  there; sleep 100", 20), "sh -c echo hi  th...");
  EXPECT_EQ(shorten("abcd", 2), "...");
}

TEST(HumanSize, HasThreeDigits) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(999), "999 B");
  EXPECT_EQ(human_size(1'997'940), "2 MB");
  EXPECT_EQ(human_size(123'456'789), "123 MB");
  EXPECT_EQ(human_size(1'234'567'890), "1.23 GB");
  EXPECT_EQ(human_size(999'999), "1 MB");
  EXPECT_EQ(human_size(UINT64_MAX), "18.4 EB");
}

TEST(GoTime, IsUtcWithABlank) {
  EXPECT_EQ(render_go_time(1'795'435'930'794'013'413), "2026-11-23 12:12:10.794013413 +0000 UTC");
  EXPECT_EQ(render_go_time(0), "1970-01-01 00:00:00 +0000 UTC");
}

Value row(const char* id, const char* name) {
  return Value::structure("Row")
      .set("Id", id)
      .set("CreatedAt", name)
      .set("Names", std::vector<std::string>{name});
}

TEST(Report, PrintsALineARow) {
  EXPECT_EQ(render_report({.name = "ps"}, "{{.Id}}\\t{{.Names}}", {row("1", "a"), row("2", "b")}),
            "1\t[a]\n2\t[b]\n");
}

TEST(Report, ATableHasTitlesAndAlignedColumns) {
  const Report report{.name = "ps", .titles = {{"Id", "CONTAINER ID"}}};
  EXPECT_EQ(render_report(report, "table {{.Id}} {{.CreatedAt}}\\t{{.Names}}", {row("1", "a")}),
            "CONTAINER ID  CREATED AT  NAMES\n"
            "1             a           [a]\n");
}

TEST(Report, NoheadingLeavesTheTitlesOut) {
  EXPECT_EQ(render_report({.name = "ps", .with_titles = false}, "table {{.Id}}", {row("1", "a")}), "1\n");
  EXPECT_EQ(render_report({.name = "ps", .with_titles = false}, "table {{.Id}}", {}), "");
}

TEST(Report, BlanksInsideAnActionStay) {
  EXPECT_EQ(render_report({.name = "ps"}, "table {{printf \"a b\"}} {{.Id}}", {row("1", "a")}),
            "a b         ID\na b         1\n");
}

TEST(Report, ARangeGetsTheWholeList) {
  EXPECT_EQ(render_report({.name = "ps"}, "{{range .}}{{.Id}};{{end}}", {row("1", "a"), row("2", "b")}),
            "1;2;");
}

TEST(Report, ARangeOverAMemberIsOfARow) {
  EXPECT_EQ(render_report({.name = "ps"}, "{{range .Names}}<{{.}}>{{end}}", {row("1", "a"), row("2", "b")}),
            "<a>\n<b>\n");
}

TEST(Report, ThatIsNoListGivesARangeEachRow) {
  EXPECT_EQ(render_report({.name = "inspect", .is_list = false}, "{{range .}}{{.}}{{end}}", {Value(2)}),
            "01\n");
}

TEST(Titles, AreTheWordsOfTheFieldsName) {
  EXPECT_EQ(templates::make_title("CreatedAt"), "CREATED AT");
  EXPECT_EQ(templates::make_title("ID"), "ID");
  EXPECT_EQ(templates::make_title("ImageID"), "IMAGE ID");
}

TEST(Json, EscapesAndKeepsTheOrderOfAStructure) {
  Value value = Value::structure("T");
  value.set("b", "a\"\\\n\x01é<>&")
      .set("a", Value::list().push_back(1).push_back(Value()))
      .set_hidden("h", 1);
  EXPECT_EQ(render_json(value), R"({"b":"a\"\\\n\u0001é<>&","a":[1,null]})");
}

TEST(Json, SortsTheKeysOfAMap) {
  EXPECT_EQ(render_json(Value::map().set("z", 1).set("a", true).set("m", 1.5)),
            R"({"a":true,"m":1.5,"z":1})");
}

TEST(Json, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(quote_json("a\xff\xc3"), "\"a\uFFFD\uFFFD\"");
}

TEST(Json, IsIndentedByFour) {
  Value value = Value::structure("T");
  value.set("Id", "x").set("L", Value::list().push_back("a")).set("E", Value::list()).set("M", Value::map());
  EXPECT_EQ(render_json_indented(Value::list().push_back(value), 4),
            "[\n    {\n        \"Id\": \"x\",\n        \"L\": [\n            \"a\"\n        ],\n"
            "        \"E\": [],\n        \"M\": {}\n    }\n]");
}

TEST(Json, ShowsTimesInIsoForm) {
  EXPECT_EQ(render_json(Value::zero_time()), "\"0001-01-01T00:00:00Z\"");
  EXPECT_EQ(render_json(Value::time(1'500'000'000)), "\"1970-01-01T00:00:01.5Z\"");
}

TEST(GoQuote, EscapesAsStrconvDoes) {
  EXPECT_EQ(quote_go("a\"b\\\t\x01\x7f\xff é"), R"("a\"b\\\t\x01\x7f\xff é")");
}

TEST(Log, IsInLogrusForm) {
  EXPECT_EQ(render_log_line(LogLevel::warning, "a \"b\"", "2026-11-23T12:12:10Z"),
            "time=\"2026-11-23T12:12:10Z\" level=warning msg=\"a \\\"b\\\"\"\n");
}

TEST(Log, LevelsAreKnownByPodmansNames) {
  EXPECT_EQ(parse_log_level("WARN"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("warning"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("bogus"), std::nullopt);
}

TEST(ErrorText, HasTheHintOnALineOfItsOwn) {
  Error error("mounting overlay at /: operation not permitted");
  EXPECT_EQ(render_error(error), "Error: mounting overlay at /: operation not permitted\n");
  error.set_hint("install fuse-overlayfs");
  EXPECT_EQ(render_error(error),
            "Error: mounting overlay at /: operation not permitted\nhint: install fuse-overlayfs\n");
}

TEST(Text, CharactersAreCodePoints) {
  EXPECT_EQ(count_characters("aé\xff€"), 4u);
  EXPECT_EQ(first_characters("aé€x", 3), "aé€");
}

}  // namespace
}  // namespace knarr::cli
