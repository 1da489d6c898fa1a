// SPDX-License-Identifier: Apache-2.0
// --time of the verbs that stop containers.
#pragma once

#include <algorithm>
#include <climits>
#include <optional>

#include "cli/flags.h"

namespace knarr::cli {

inline constexpr Flag stop_timeout_flag =
    integer_flag("time", 't', "SECONDS",
                 "Time between the stop signal and SIGKILL; -1 waits for ever (default 10)")
        .also("timeout");

// nullopt: the container's own.
inline std::optional<int> stop_timeout(const Arguments& arguments) {
  const auto seconds = arguments.find_integer("time");
  if (!seconds) return std::nullopt;
  // The engine counts milliseconds in an int.
  return static_cast<int>(std::clamp<std::int64_t>(*seconds, -1, INT_MAX / 1000));
}

}  // namespace knarr::cli
