// SPDX-License-Identifier: Apache-2.0
// The engine's other programs: knarr-store, knarr-registry, knarr-seccomp.
#pragma once

#include <string>
#include <vector>

#include "rootless/sys/process.h"

namespace knarr::engine {

// The absolute path of a helper program: beside this program (a build tree), else in the libexec directory it
// was configured with. $KNARR_LIBEXEC_DIR overrides both. Throws NotFound that names the places.
std::string helper_path(const std::string& name);

// What a helper reads: nothing; or our standard input when that is a terminal, where it may ask the user.
enum class HelperInput { none, terminal };

// Runs a helper with this argv and waits for it. It shares our standard error. What it prints, a few lines,
// is `output`'s, or nobody's: its work is what counts.
sys::ExitStatus run_helper(const std::string& name, const std::vector<std::string>& argv,
                           std::string* output = nullptr, HelperInput input = HelperInput::none);

}  // namespace knarr::engine
