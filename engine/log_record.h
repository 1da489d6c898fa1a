// SPDX-License-Identifier: Apache-2.0
// One record of a log (monitor/log_format.h), read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/logs.h"

namespace knarr::engine {

// `line` without its newline, of either format. The entry's text lies in `line` or in `scratch`. nullopt for
// what is no record.
std::optional<LogEntry> parse_log_record(std::string_view line, std::string& scratch);

}  // namespace knarr::engine
