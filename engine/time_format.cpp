// SPDX-License-Identifier: Apache-2.0
#include "engine/time_format.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// ---- reading ----

// Takes fields off the front of a text; the first that does not fit makes the rest fail.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }

  // Exactly `digits` digits, a value from `low` to `high`.
  int number(std::size_t digits, int low, int high) {
    int value = 0;
    if (rest_.size() < digits) return fail();
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value < low || value > high ? fail() : value;
  }

  void expect(char wanted) {
    if (peek() != wanted) {
      fail();
    } else {
      rest_.remove_prefix(1);
    }
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // ".5" as 500000000; nothing where no fraction stands.
  std::int64_t fraction() {
    if (!accept('.')) return 0;
    std::int64_t value = 0, unit = ns_per_second / 10;
    if (peek() < '0' || peek() > '9') return fail();
    for (; peek() >= '0' && peek() <= '9'; rest_.remove_prefix(1), unit /= 10) value += (peek() - '0') * unit;
    return value;
  }

 private:
  int fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

int days_in(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

tm read_date(FieldReader& in) {
  tm date{};
  const int year = in.number(4, 0, 9999);
  in.expect('-');
  const int month = in.number(2, 1, 12);
  in.expect('-');
  const int day = in.number(2, 1, in.ok() ? days_in(year, month) : 31);
  date.tm_year = year - 1900;
  date.tm_mon = month - 1;
  date.tm_mday = day;
  date.tm_isdst = -1;
  return date;
}

// A zone's distance from UTC in seconds.
std::int64_t read_zone(FieldReader& in) {
  if (in.accept('Z') || in.accept('z')) return 0;
  const bool west = in.accept('-');
  if (!west) in.expect('+');
  const int hours = in.number(2, 0, 23);
  in.expect(':');
  const int minutes = in.number(2, 0, 59);
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

std::optional<std::int64_t> to_ns(std::int64_t seconds, std::int64_t fraction) {
  std::int64_t result;
  if (__builtin_mul_overflow(seconds, ns_per_second, &result) ||
      __builtin_add_overflow(result, fraction, &result)) {
    return std::nullopt;
  }
  return result;
}

// "2026-11-23", "2026-11-23T12", "2026-11-23T12:12:10.5", each with a 'Z' for UTC.
std::optional<std::int64_t> parse_local_date(std::string_view text) {
  FieldReader in(text);
  tm date = read_date(in);
  std::int64_t fraction = 0;
  if (in.accept('T')) {
    date.tm_hour = in.number(2, 0, 23);
    if (in.accept(':')) date.tm_min = in.number(2, 0, 59);
    if (in.accept(':')) {
      date.tm_sec = in.number(2, 0, 59);
      fraction = in.fraction();
    }
  }
  const bool utc = in.accept('Z');
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return to_ns(utc ? ::timegm(&date) : ::mktime(&date), fraction);
}

std::optional<std::int64_t> parse_epoch_seconds(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || seconds < 0) return std::nullopt;
  FieldReader in(text.substr(static_cast<std::size_t>(end - text.data())));
  const std::int64_t fraction = in.fraction();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  const auto time = to_ns(seconds, fraction);
  return time && negative ? -*time : time;
}

// ---- writing ----

struct CivilDate {
  std::int64_t year;
  int month, day;
};

// The Gregorian date of a day since the epoch. Years are counted from March, so the leap day is their last.
CivilDate civil_date(std::int64_t day) {
  constexpr std::int64_t era_days = 146097;  // 400 years
  day += 719468;                             // from 0000-03-01
  const std::int64_t era = (day >= 0 ? day : day - (era_days - 1)) / era_days;
  const std::int64_t day_of_era = day - era * era_days;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int month_from_march = static_cast<int>((5 * day_of_year + 2) / 153);
  const int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
          .month = month,
          .day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

void put_digits(char* out, int digits, std::int64_t value) {
  for (; digits > 0; value /= 10) out[--digits] = static_cast<char>('0' + value % 10);
}

std::int64_t local_offset(std::int64_t second) {
  const time_t time = static_cast<time_t>(second);
  tm fields{};
  ::localtime_r(&time, &fields);
  return fields.tm_gmtoff;
}

// ---- durations ----

std::optional<double> duration_unit(std::string_view name) {
  if (name == "ns") return 1;
  if (name == "us" || name == "\u00b5s" || name == "\u03bcs") return 1e3;
  if (name == "ms") return 1e6;
  if (name == "s") return 1e9;
  if (name == "m") return 60e9;
  if (name == "h") return 3600e9;
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  FieldReader in(text);
  tm date = read_date(in);
  if (!in.accept('t')) in.expect('T');
  date.tm_hour = in.number(2, 0, 23);
  in.expect(':');
  date.tm_min = in.number(2, 0, 59);
  in.expect(':');
  date.tm_sec = in.number(2, 0, 60);  // 60: a leap second
  const std::int64_t fraction = in.fraction();
  const std::int64_t offset = read_zone(in);
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return to_ns(::timegm(&date) - offset, fraction);
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    double value = 0;
    // fixed: "1e3s" is no duration.
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || (text[0] != '.' && (text[0] < '0' || text[0] > '9'))) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::size_t length = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = duration_unit(text.substr(0, length));
    if (!unit) return std::nullopt;
    total += value * *unit;
    text.remove_prefix(length);
  }
  if (total >= 9.2e18) return std::nullopt;
  // Not llround(): libm would be one more library to load in every command.
  const auto rounded = static_cast<std::int64_t>(total + 0.5);
  return negative ? -rounded : rounded;
}

std::int64_t parse_time(std::int64_t now_ns, std::string_view text) {
  if (const auto seconds = parse_epoch_seconds(text)) return *seconds;
  if (const auto duration = parse_duration(text)) return now_ns - *duration;
  if (const auto time = parse_rfc3339(text)) return *time;
  if (const auto date = parse_local_date(text)) return *date;
  InvalidArgument error(concat("\"", text, "\" is no point in time"));
  error.set_hint(
      "give a duration before now (10m, 1h30m), a date (2026-11-23T12:12:10) or seconds since 1970");
  throw error;
}

void render_utc_second(std::int64_t second, char* out) {
  constexpr std::int64_t day_seconds = 86400;
  const std::int64_t time_of_day = ((second % day_seconds) + day_seconds) % day_seconds;
  const CivilDate date = civil_date((second - time_of_day) / day_seconds);
  put_digits(out, 4, date.year);
  out[4] = '-';
  put_digits(out + 5, 2, date.month);
  out[7] = '-';
  put_digits(out + 8, 2, date.day);
  out[10] = 'T';
  put_digits(out + 11, 2, time_of_day / 3600);
  out[13] = ':';
  put_digits(out + 14, 2, time_of_day / 60 % 60);
  out[16] = ':';
  put_digits(out + 17, 2, time_of_day % 60);
}

std::string render_rfc3339_nano(std::int64_t time_ns, TimeZone zone) {
  std::int64_t fraction = time_ns % ns_per_second;
  if (fraction < 0) fraction += ns_per_second;
  const std::int64_t second = (time_ns - fraction) / ns_per_second;
  const std::int64_t offset = zone == TimeZone::local ? local_offset(second) : 0;
  std::string text(29, '.');
  render_utc_second(second + offset, text.data());
  put_digits(text.data() + 20, 9, fraction);
  text.resize(fraction == 0 ? 19 : text.find_last_not_of('0') + 1);
  if (offset == 0) return text + 'Z';
  char distance[] = "+00:00";
  if (offset < 0) distance[0] = '-';
  put_digits(distance + 1, 2, std::abs(offset) / 3600);
  put_digits(distance + 4, 2, std::abs(offset) / 60 % 60);
  return text + distance;
}

std::string human_duration(std::int64_t duration_ns) {
  const std::int64_t seconds = duration_ns / ns_per_second;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return concat(seconds, " seconds");
  const std::int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return concat(minutes, " minutes");
  const std::int64_t hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return concat(hours, " hours");
  if (hours < 24 * 7 * 2) return concat(hours / 24, " days");
  if (hours < 24 * 30 * 2) return concat(hours / 24 / 7, " weeks");
  if (hours < 24 * 365 * 2) return concat(hours / 24 / 30, " months");
  return concat(seconds / 3600 / 24 / 365, " years");
}

std::int64_t wall_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

}  // namespace knarr::engine
