// SPDX-License-Identifier: Apache-2.0
// The programs and their verbs.
#pragma once

#include "cli/verb.h"

namespace knarr::cli {

// Serves what has to start fast; hands the rest over.
extern const Program knarr_program;
// knarr-store: the verbs that read and write archives.
extern const Program store_program;
// knarr-registry: the verbs that talk to registries.
extern const Program registry_program;

}  // namespace knarr::cli
