// SPDX-License-Identifier: Apache-2.0
#include "cli/log.h"

#include <unistd.h>

#include "cli/quote.h"
#include "cli/text.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

LogLevel current_level = LogLevel::warning;

struct LevelName {
  std::string_view name;
  LogLevel level;
};
constexpr LevelName level_names[] = {
    {"trace", LogLevel::trace},     {"debug", LogLevel::debug},  {"info", LogLevel::info},
    {"warning", LogLevel::warning}, {"warn", LogLevel::warning}, {"error", LogLevel::error},
    {"fatal", LogLevel::fatal},     {"panic", LogLevel::panic},
};

std::string_view level_name(LogLevel level) {
  for (const LevelName& entry : level_names) {
    if (entry.level == level) return entry.name;
  }
  return "unknown";
}

std::string now_in_seconds() {
  const std::int64_t seconds = engine::wall_clock_ns() / engine::ns_per_second;
  return engine::render_rfc3339_nano(seconds * engine::ns_per_second, engine::TimeZone::local);
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  const std::string lower = lower_case(name);
  for (const LevelName& entry : level_names) {
    if (entry.name == lower) return entry.level;
  }
  return std::nullopt;
}

void set_log_level(LogLevel level) {
  current_level = level;
}

bool is_logged(LogLevel level) {
  return level <= current_level;
}

std::string render_log_line(LogLevel level, std::string_view message, std::string_view time) {
  return concat("time=\"", time, "\" level=", level_name(level), " msg=", quote_go(message), '\n');
}

void log(LogLevel level, std::string_view message) {
  if (!is_logged(level)) return;
  const std::string line = render_log_line(level, message, now_in_seconds());
  // A diagnostic that cannot be written is lost: there is nobody left to tell.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace knarr::cli
