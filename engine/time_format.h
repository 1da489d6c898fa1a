// SPDX-License-Identifier: Apache-2.0
// Points in time and durations as text. Times are nanoseconds since the epoch, durations nanoseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace knarr::engine {

constexpr std::int64_t ns_per_second = 1'000'000'000;

enum class TimeZone { utc, local };  // local: of TZ or /etc/localtime (tzset(3))

// RFC 3339 with the fraction as Go's RFC3339Nano has it: without trailing zeros, and none for a whole second.
// "2026-11-23T12:12:10.5Z", "2026-11-23T13:12:10+01:00".
std::string render_rfc3339_nano(std::int64_t time_ns, TimeZone zone);

// Writes the 19 characters "2026-11-23T12:12:10" of a second since the epoch. Unlike gmtime_r(3) it neither
// loads the local zone nor allocates.
void render_utc_second(std::int64_t second, char* out);

// nullopt for anything else than date, 'T', time, optional fraction (digits after the ninth are cut) and
// zone.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// Go's durations: "250ms", "1h30m", "1.5s", "-2us"; "0" needs no unit.
std::optional<std::int64_t> parse_duration(std::string_view text);

// What --since and --until take: a duration before now_ns, seconds since the epoch with a fraction, RFC 3339,
// or a date in the local zone ("2026-11-23", "2026-11-23T12:12", "2026-11-23T12:12:10.5"; with a 'Z' in UTC).
// Throws InvalidArgument that quotes the text.
std::int64_t parse_time(std::int64_t now_ns, std::string_view text);

// "Less than a second", "3 minutes", "About an hour", "2 weeks".
std::string human_duration(std::int64_t duration_ns);

std::int64_t wall_clock_ns();

}  // namespace knarr::engine
