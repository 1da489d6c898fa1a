// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace knarr::cli {

// $SOURCE_DATE_EPOCH: what is made shall look as if made at that time, in seconds since the epoch
// (reproducible-builds.org/specs/source-date-epoch). Throws InvalidArgument for what is no number.
std::optional<std::int64_t> source_date();

}  // namespace knarr::cli
