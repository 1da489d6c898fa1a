// SPDX-License-Identifier: Apache-2.0
// Work in another network namespace by a process that stays in its own: one that has left the host's could
// not come back to it without the machine's root. A child that shares memory and descriptors goes there
// (clone(2): CLONE_VM, CLONE_VFORK, CLONE_FILES), does it and ends; a socket stays in the namespace it was
// opened in. The calling process needs CAP_SYS_ADMIN over the namespace's owner and must be single-threaded.
#pragma once

#include <functional>

#include "rootless/sys/unique_fd.h"

namespace knarr::netns {

// A new network namespace, owned by the caller's user namespace, kept alive by the descriptor alone.
sys::UniqueFd make_network_namespace();

// That of a process: /proc/PID/ns/net.
sys::UniqueFd open_network_namespace(pid_t pid);
// That of this process.
sys::UniqueFd open_own_network_namespace();

// Runs `act` there; it also sees that namespace's /proc/sys/net. What it throws is thrown here.
void in_network_namespace(int netns_fd, const std::function<void()>& act);

// socket(2) there, with SOCK_CLOEXEC.
sys::UniqueFd open_socket_in(int netns_fd, int domain, int type, int protocol);

}  // namespace knarr::netns
