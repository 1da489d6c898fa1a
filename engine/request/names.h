// SPDX-License-Identifier: Apache-2.0
// Host names, addresses and resolvers as a user writes them: they end up as lines of /etc files, so nothing
// with a control character passes. All pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// Letters, digits, '-', '.' and '_'; a letter or digit or '_' first.
bool is_hostname(std::string_view name);
void check_hostname(std::string_view hostname);  // hostname(7), at most 64 bytes
bool is_ip_address(std::string_view text);       // IPv4 or IPv6, a zone (%eth0) allowed for the latter

// --add-host NAME[;NAME...]:IP; one "name:ip" each, the address as it is or the word host-gateway.
std::vector<std::string> parse_add_host(std::string_view text);

// Fills the fields of `config` about hosts and resolvers, checking them against each other and the network.
void plan_names(const CreateRequest& request, ContainerConfig& config);

}  // namespace knarr::engine
