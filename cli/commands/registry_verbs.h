// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr-registry: as data for knarr, which shows their help and completes them, and with their
// code.
#pragma once

#include "cli/verb.h"

namespace knarr::cli {}  // namespace knarr::cli
