// SPDX-License-Identifier: Apache-2.0
// Descriptors across AF_UNIX sockets (unix(7), SCM_RIGHTS).
#pragma once

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

// Waits for one descriptor; it comes with O_CLOEXEC. Empty when the sender is gone or sent none.
UniqueFd receive_descriptor(int socket_fd);
// Sends a copy of one, with a byte. False when the receiver is gone or too many are on their way.
bool send_descriptor(int socket_fd, int fd);

}  // namespace knarr::sys
