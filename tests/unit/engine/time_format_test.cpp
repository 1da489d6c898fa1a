// SPDX-License-Identifier: Apache-2.0
#include "engine/time_format.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t moment = 1'795'435'930 * ns_per_second;  // 2026-11-23T12:12:10Z

// A test's own idea of the local zone.
class LocalZone {
 public:
  explicit LocalZone(const char* name) { set(name); }
  ~LocalZone() {
    ::unsetenv("TZ");
    ::tzset();
  }

 private:
  static void set(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
};

TEST(RenderRfc3339Nano, CutsTrailingZerosLikeGo) {
  EXPECT_EQ(render_rfc3339_nano(moment, TimeZone::utc), "2026-11-23T12:12:10Z");
  EXPECT_EQ(render_rfc3339_nano(moment + 500 * ms, TimeZone::utc), "2026-11-23T12:12:10.5Z");
  EXPECT_EQ(render_rfc3339_nano(moment + 1, TimeZone::utc), "2026-11-23T12:12:10.000000001Z");
  EXPECT_EQ(render_rfc3339_nano(-1, TimeZone::utc), "1969-12-31T23:59:59.999999999Z");
}

TEST(RenderRfc3339Nano, WritesTheLocalZoneAsItsDistanceFromUtc) {
  const LocalZone zone("XST-5:30");
  EXPECT_EQ(render_rfc3339_nano(moment, TimeZone::local), "2026-11-23T17:42:10+05:30");
}

TEST(RenderUtcSecond, AgreesWithTheCLibraryOnEveryKindOfDay) {
  // Steps of 13 days and some hours through 400 years meet leap years, centuries and both ends of months.
  for (std::int64_t second = -62167219200; second < 10413792000; second += 1'130'987) {
    const time_t time = second;
    tm fields{};
    ::gmtime_r(&time, &fields);
    char expected[32], rendered[20] = {};
    ::strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &fields);
    if (fields.tm_year + 1900 < 1000) continue;  // strftime does not pad the year
    render_utc_second(second, rendered);
    ASSERT_STREQ(rendered, expected) << second;
  }
}

TEST(ParseRfc3339, ReadsWhatIsRendered) {
  for (const std::int64_t time : {std::int64_t{0}, moment, moment + 1, moment + 120 * ms, std::int64_t{-1}}) {
    EXPECT_EQ(parse_rfc3339(render_rfc3339_nano(time, TimeZone::utc)), time);
    const LocalZone zone("XST3");
    EXPECT_EQ(parse_rfc3339(render_rfc3339_nano(time, TimeZone::local)), time);
  }
}

TEST(ParseRfc3339, RefusesEverythingElse) {
  for (const char* text : {"", "2026-11-23", "2026-11-23T12:12:10", "2026-13-01T00:00:00Z",
                           "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T12:12:10.Z",
                           "2026-11-23T12:12:10+0100", "2026-11-23T12:12:10Zx"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(ParseDuration, AddsUpItsParts) {
  EXPECT_EQ(parse_duration("1h30m"), 5400 * ns_per_second);
  EXPECT_EQ(parse_duration("1.5s"), 1500 * ms);
  EXPECT_EQ(parse_duration("250ms"), 250 * ms);
  EXPECT_EQ(parse_duration("-2us"), -2000);
  EXPECT_EQ(parse_duration("0"), 0);
}

TEST(ParseDuration, RefusesNumbersWithoutUnitsAndUnitsWithoutNumbers) {
  for (const char* text : {"", "10", "m", "1h30", "1x", "1e3s", "- 1s", "1s ", "999999999999h", "infs"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(ParseTime, TakesEveryFormThatSinceAndUntilTake) {
  const LocalZone zone("XST-1");
  EXPECT_EQ(parse_time(moment, "10m"), moment - 600 * ns_per_second);
  EXPECT_EQ(parse_time(moment, "-1s"), moment + ns_per_second);
  EXPECT_EQ(parse_time(moment, "1795435930"), moment);
  EXPECT_EQ(parse_time(moment, "1795435930.25"), moment + 250 * ms);
  EXPECT_EQ(parse_time(moment, "0"), 0);
  EXPECT_EQ(parse_time(moment, "2026-11-23T12:12:10Z"), moment);
  EXPECT_EQ(parse_time(moment, "2026-11-23T13:12:10+01:00"), moment);
  EXPECT_EQ(parse_time(moment, "2026-11-23T13:12:10.5"), moment + 500 * ms);
  EXPECT_EQ(parse_time(moment, "2026-11-23T13:12"), moment - 10 * ns_per_second);
  EXPECT_EQ(parse_time(moment, "2026-11-23"), moment - (13 * 3600 + 12 * 60 + 10) * ns_per_second);
  EXPECT_EQ(parse_time(moment, "2026-11-23Z"), moment - (12 * 3600 + 12 * 60 + 10) * ns_per_second);
}

TEST(ParseTime, QuotesWhatItCannotRead) {
  for (const char* text : {"", "yesterday", "12:30", "2026-11", "99999999999999999999", "1h x"}) {
    EXPECT_THROW(parse_time(moment, text), InvalidArgument) << text;
  }
  try {
    parse_time(moment, "yesterday");
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "\"yesterday\" is no point in time");
    EXPECT_NE(error.hint(), "");
  }
}

TEST(HumanDuration, IsAsCoarseAsPeopleSpeak) {
  const struct {
    std::int64_t seconds;
    const char* words;
  } cases[] = {{-5, "Less than a second"}, {0, "Less than a second"}, {1, "1 second"},
               {59, "59 seconds"},         {60, "About a minute"},    {119, "About a minute"},
               {120, "2 minutes"},         {3599, "59 minutes"},      {3600, "About an hour"},
               {5399, "About an hour"},    {5400, "2 hours"},         {47 * 3600, "47 hours"},
               {48 * 3600, "2 days"},      {14 * 86400, "2 weeks"},   {60 * 86400, "2 months"},
               {730 * 86400, "2 years"}};
  for (const auto& [seconds, words] : cases) {
    EXPECT_EQ(human_duration(seconds * ns_per_second), words) << seconds;
  }
}

}  // namespace
}  // namespace knarr::engine
