// SPDX-License-Identifier: Apache-2.0
// Signals by name and number (signal(7)).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knarr::engine {

// "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3", "RTMAX-1"; nullopt for anything else. "0" is allowed.
std::optional<int> parse_signal(std::string_view text);
std::string signal_name(int signal);  // "SIGTERM"; the number when it has no name

}  // namespace knarr::engine
