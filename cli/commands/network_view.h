// SPDX-License-Identifier: Apache-2.0
// Networks as users see them, and who uses them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/template/value.h"
#include "engine/engine.h"
#include "engine/network/port_mapping.h"

namespace knarr::cli {

// With the containers that run on it.
templates::Value inspect_network(const engine::Engine& engine, const engine::Network& network);
// Without.
templates::Value describe_network(const engine::Network& network);
// For people: a short id, labels in one line.
templates::Value network_row(const engine::Network& network, bool full_id);

// The ids of the containers of each network, running or not, by network name.
std::map<std::string, std::vector<std::string>> containers_by_network(const engine::Engine& engine);

// Warns about each that is damaged.
std::vector<engine::Network> list_healthy_networks(const engine::Engine& engine);

// `known`: the filters the verb has, of dangling driver id label label! name until; throws InvalidArgument.
constexpr std::string_view network_filters = "dangling driver id label label! name until";
std::vector<engine::Network> filter_networks(const engine::Engine& engine,
                                             std::vector<engine::Network> networks,
                                             const std::vector<std::string>& texts, std::string_view known);

// Throws Conflict when containers use it; with `force` these are removed first.
void remove_network(const engine::Engine& engine, const std::string& name_or_id, bool force,
                    std::optional<int> timeout_seconds);

// What a container's ports are now: of one that runs as they were bound, else as they were asked for.
std::vector<engine::PortMapping> current_ports(const engine::Engine& engine,
                                               const engine::ContainerConfig& config);
// One mapping each for the ports of a range.
std::vector<engine::PortMapping> each_port(const std::vector<engine::PortMapping>& mappings);

}  // namespace knarr::cli
