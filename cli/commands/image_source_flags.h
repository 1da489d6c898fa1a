// SPDX-License-Identifier: Apache-2.0
// The flags that say which image is meant and how its registry is asked: of `pull`, `run` and `create`.
#pragma once

#include "cli/flags.h"
#include "storage/image/platform.h"
#include "storage/image/pull_policy.h"

namespace knarr::cli {

// --platform, or --os, --arch and --variant; what is not given is empty. Throws UsageError.
storage::Platform read_platform(const Arguments& arguments);
// The value of --pull or --policy. Throws UsageError.
storage::PullPolicy read_pull_policy(const Arguments& arguments, std::string_view flag);

}  // namespace knarr::cli
