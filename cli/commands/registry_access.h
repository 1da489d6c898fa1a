// SPDX-License-Identifier: Apache-2.0
// How the commands of knarr-registry speak to registries, by their common flags: authfile, cert-dir, creds,
// tls-verify, and where a verb has them retry and retry-delay.
#pragma once

#include "cli/flags.h"
#include "storage/registry/registry_access.h"

namespace knarr::cli {

// Before enter_r(): where the files are depends on who the user is. Throws UsageError.
storage::RegistryAccess read_registry_access(const Arguments& arguments);

}  // namespace knarr::cli
