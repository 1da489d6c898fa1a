// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

namespace knarr::engine::monitor {

constexpr const char* attach_socket_name = "attach";

// The address of the attach socket in an open directory. It goes through /proc/self/fd because a run
// directory's path may be longer than the 107 bytes that unix(7) has for it.
sockaddr_un attach_address(int run_directory_fd);

}  // namespace knarr::engine::monitor
