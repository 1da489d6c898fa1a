// SPDX-License-Identifier: Apache-2.0
// netd reads what containers and servers outside send; from here on it does nothing else.
#pragma once

#include <string>

namespace knarr::engine::netd {

// No capability, no program, no file but for reading, and those only where names and resolvers are:
// `directory` (RUN/net), resolv.conf, /proc. Sockets are opened but none listens. Descriptors stay.
void confine(const std::string& directory, const std::string& resolv_conf);

}  // namespace knarr::engine::netd
