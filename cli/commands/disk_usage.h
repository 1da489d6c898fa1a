// SPDX-License-Identifier: Apache-2.0
// What `system df` shows, and how.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/template/value.h"

namespace knarr::cli {

// A row of the summary.
struct UsageRow {
  std::string type;
  std::size_t total = 0;
  std::size_t active = 0;
  std::uint64_t bytes = 0;
  std::uint64_t reclaimable = 0;
};

// "168MB (59%)"
std::string describe_reclaimable(const UsageRow& row);
// With the members that podman has: numbers for programs, words for people.
templates::Value usage_value(const UsageRow& row);
std::string render_usage_table(const std::vector<UsageRow>& rows);

}  // namespace knarr::cli
