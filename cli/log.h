// SPDX-License-Identifier: Apache-2.0
// Diagnostics on standard error in logrus' text form: time="..." level=warning msg="...".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knarr::cli {

enum class LogLevel { panic, fatal, error, warning, info, debug, trace };

// "trace", "debug", "info", "warn", "warning", "error", "fatal", "panic", in any case.
std::optional<LogLevel> parse_log_level(std::string_view name);
constexpr std::string_view log_level_names = "trace, debug, info, warn, warning, error, fatal, panic";

// Process-wide; LogLevel::warning at the start.
void set_log_level(LogLevel level);
bool is_logged(LogLevel level);

// Prints when the level is logged; one write(2) a line.
void log(LogLevel level, std::string_view message);
inline void log_warning(std::string_view message) {
  log(LogLevel::warning, message);
}

// Pure: the line log() writes, newline included.
std::string render_log_line(LogLevel level, std::string_view message, std::string_view time);

}  // namespace knarr::cli
