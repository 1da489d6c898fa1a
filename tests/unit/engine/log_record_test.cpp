// SPDX-License-Identifier: Apache-2.0
#include "engine/log_record.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

struct Parsed {
  std::int64_t time_ns;
  Stream stream;
  std::string text;
  bool partial;
  bool operator==(const Parsed&) const = default;
};

std::optional<Parsed> parse(std::string_view line) {
  std::string scratch;
  const auto entry = parse_log_record(line, scratch);
  if (!entry) return std::nullopt;
  return Parsed{entry->time_ns, entry->stream, std::string(entry->text), entry->partial};
}

constexpr std::int64_t moment = 1'795'435'930'500'000'000;

TEST(ParseLogRecord, ReadsK8sFileRecords) {
  EXPECT_EQ(parse("2026-11-23T12:12:10.5Z stdout F some text "),
            (Parsed{moment, Stream::output, "some text ", false}));
  EXPECT_EQ(parse("2026-11-23T13:12:10.500000000+01:00 stderr P "),
            (Parsed{moment, Stream::error, "", true}));
  EXPECT_EQ(parse("2026-11-23T12:12:10.5Z stdout F:tag x"), (Parsed{moment, Stream::output, "x", false}));
}

TEST(ParseLogRecord, ReadsJsonRecordsInAnyOrderOfTheirKeys) {
  EXPECT_EQ(parse(R"({"log":"a\n","stream":"stdout","time":"2026-11-23T12:12:10.5Z"})"),
            (Parsed{moment, Stream::output, "a", false}));
  EXPECT_EQ(parse(R"({ "time": "2026-11-23T12:12:10.5Z", "stream": "stderr", "log": "a" })"),
            (Parsed{moment, Stream::error, "a", true}));
}

TEST(ParseLogRecord, UndoesJsonEscapes) {
  const auto record = parse(
      R"({"log":"\"\\\/\b\f\r\t\u00e4\u20AC\ud83e\udd80\ud83ex\n","stream":"stdout","time":"2026-11-23T12:12:10Z"})");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->text, "\"\\/\b\f\r\t\u00e4\u20ac\U0001f980\ufffdx");
}

TEST(ParseLogRecord, StepsOverOtherKeys) {
  EXPECT_EQ(
      parse(
          R"({"attrs":{"tag":"}\"","n":[1,{"x":null}]},"a":-1.5e3,"log":"a\n","b":true,"stream":"stdout","time":"2026-11-23T12:12:10.5Z","c":[]})"),
      (Parsed{moment, Stream::output, "a", false}));
}

TEST(ParseLogRecord, RefusesWhatIsNoRecord) {
  for (const char* line :
       {"", "text", "2026-11-23T12:12:10Z", "2026-11-23T12:12:10Z stdout", "2026-11-23T12:12:10Z stdin F x",
        "2026-11-23T12:12:10Z stdout X x", "yesterday stdout F x", "{", "{}", R"({"log":"x)", R"({"log":"x\)",
        R"({"log":"x\u12)", R"({"log":"x","stream":"stdout","time":"2026-11-23T12:12:10Z")",
        R"({"log":"x","stream":"stdout","time":"2026-11-23T12:12:10Z"]})",
        R"({"log":"x\q","stream":"stdout","time":"2026-11-23T12:12:10Z"})", R"({"a":[1,"log":"x"})"}) {
    EXPECT_EQ(parse(line), std::nullopt) << line;
  }
}

}  // namespace
}  // namespace knarr::engine
