// SPDX-License-Identifier: Apache-2.0
// Asking the name services of the host (nsswitch.conf(5)) through the programs made for it. Their modules
// never come into our own processes: these are linked statically, and some of them enter containers, whose
// files must not become modules of ours.
#pragma once

#include <string>
#include <vector>

namespace knarr::rootless {

// What argv (argv[0] is a path) prints. Without a shell and with nothing of the environment. Empty when it
// cannot be started or fails.
std::string ask_name_service(std::vector<std::string> argv);

}  // namespace knarr::rootless
