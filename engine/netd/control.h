// SPDX-License-Identifier: Apache-2.0
// How netd is spoken to: file names in RUN/net, the words of its control socket, its arguments.
#pragma once

#include <string_view>

namespace knarr::engine {

// Held (an OFD lock) by the netd that runs and by nobody else: its descriptor is handed to it at the start.
constexpr const char* netd_lock_name = "netd.lock";
constexpr const char* netd_socket_name = "netd.sock";
constexpr const char* netd_log_name = "netd.log";
// Which program is the way out, or why there is none.
constexpr const char* way_out_name = "way-out";

// A message on the control socket (SOCK_SEQPACKET) is a word and a network's name; with `serve` come the
// engine's network namespace and the network's sockets as descriptors. `forget`: the network is gone.
constexpr std::string_view serve_word = "serve ";
constexpr std::string_view forget_word = "forget ";
constexpr std::string_view stop_word = "stop";

// netd's descriptors from its first moment on: 0..2 are /dev/null.
constexpr int netd_lock_fd = 3;
constexpr int netd_control_fd = 4;
constexpr int netd_netns_fd = 5;
constexpr int netd_first_socket_fd = 6;

// More cannot be handed over at once: two families, two transports.
constexpr int most_dns_sockets = 64;

}  // namespace knarr::engine
