// SPDX-License-Identifier: Apache-2.0
// Network namespaces of a test, and sockets in them. The calling process is in the "host's"; nothing of the
// machine's own network is touched.
#pragma once

#include <functional>
#include <string>

#include "netns/forward/target.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::test {

// Makes this process root of new user and network namespaces.
void enter_new_host();
// Of a user namespace only: without a capability over the network namespace.
void enter_user_namespace();

// Runs `act` in a thread that is in the namespace; what it throws is thrown here.
void in_netns(int netns_fd, const std::function<void()>& act);
sys::UniqueFd own_netns();

// Runs a shell command in the namespace; throws with its output.
void run_in(int netns_fd, const std::string& command);

// Sockets in the namespace, blocking, with 10 s of patience.
sys::UniqueFd listen_in(int netns_fd, const std::string& address, std::uint16_t port, int type,
                        int backlog = 4096);
sys::UniqueFd connect_in(int netns_fd, const std::string& address, std::uint16_t port, int type,
                         const std::string& from = "", std::uint16_t from_port = 0);
sys::UniqueFd accept_from(int listener_fd, std::string* client = nullptr);  // "ADDRESS:PORT"
std::string peer_of(int socket_fd);
std::string local_of(int socket_fd);

// All until the end; "" and errno words on a reset: "text, connection reset by peer".
std::string receive_all(int socket_fd);
std::string receive_some(int socket_fd);
void send_text(int socket_fd, const std::string& text);

}  // namespace knarr::test
