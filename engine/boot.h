// SPDX-License-Identifier: Apache-2.0
// The run directory holds what must not outlive a boot. It usually lies on a tmpfs that does not; the
// fall-back in /tmp, or a --runroot of the user's, may.
#pragma once

#include <string>

namespace knarr::engine {

// Empties a run directory of another boot (its file "boot-id" tells) before anything in it is believed: pids
// in there are other processes' by now, and what is done once per boot has to be done again.
void begin_boot(const std::string& run_root);

}  // namespace knarr::engine
