// SPDX-License-Identifier: Apache-2.0
#include "engine/signals.h"

#include <strings.h>

#include <charconv>
#include <csignal>
#include <cstring>

namespace knarr::engine {

namespace {

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && ::strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

std::optional<int> in_range(std::optional<int> signal) {
  // The two real-time signals below the C library's SIGRTMIN belong to its threads, but can be sent by
  // number.
  return signal && *signal >= 0 && *signal < NSIG ? signal : std::nullopt;
}

// "", "+3": an offset from SIGRTMIN or SIGRTMAX.
std::optional<int> parse_realtime(int base, char direction, std::string_view offset) {
  if (offset.empty()) return base;
  if (offset.front() != direction) return std::nullopt;
  const auto steps = parse_number(offset.substr(1));
  if (!steps || *steps < 0) return std::nullopt;
  const int signal = direction == '+' ? base + *steps : base - *steps;
  return signal >= SIGRTMIN && signal <= SIGRTMAX ? std::optional(signal) : std::nullopt;
}

}  // namespace

std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_number(text)) return in_range(number);
  if (starts_with_ignoring_case(text, "SIG")) text.remove_prefix(3);
  if (starts_with_ignoring_case(text, "RTMIN")) return parse_realtime(SIGRTMIN, '+', text.substr(5));
  if (starts_with_ignoring_case(text, "RTMAX")) return parse_realtime(SIGRTMAX, '-', text.substr(5));
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr && std::strlen(name) == text.size() && starts_with_ignoring_case(text, name))
      return signal;
  }
  return std::nullopt;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : std::string("SIG") + name;
}

}  // namespace knarr::engine
