// SPDX-License-Identifier: Apache-2.0
// The engine's other programs: knarr-store, knarr-registry, knarr-seccomp.
#pragma once

#include <string>

namespace knarr::engine {

// The absolute path of a helper program: beside this program (a build tree), else in the libexec directory it
// was configured with. $KNARR_LIBEXEC_DIR overrides both. Throws NotFound that names the places.
std::string helper_path(const std::string& name);

}  // namespace knarr::engine
