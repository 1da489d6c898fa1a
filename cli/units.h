// SPDX-License-Identifier: Apache-2.0
// Sizes and times as people read them. Reading and ISO forms: engine/time_format.h.
#pragma once

#include <cstdint>
#include <string>

namespace knarr::cli {

// Three significant digits, powers of 1000: "2 MB", "1.23 GB".
std::string human_size(std::uint64_t bytes);
// Four significant digits without a blank, as podman's and docker's `system` verbs have it: "13.49GB".
std::string compact_size(std::uint64_t bytes);
// As Go prints a time: "2026-11-23 12:12:10.5 +0000 UTC". Nanoseconds since the epoch.
std::string render_go_time(std::int64_t ns);

}  // namespace knarr::cli
