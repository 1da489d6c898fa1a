// SPDX-License-Identifier: Apache-2.0
// --network in all its forms and what goes with it: the mode of the network namespace, the networks in it,
// ports. All pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// The mode of a request: "none", "host", "container:NAME", "ns:PATH" or "bridge". Throws for what is none, or
// mixed with another one.
std::string plan_network_mode(const CreateRequest& request);

// One --network of a bridged container, "NAME[:OPTIONS]" or "bridge[:OPTIONS]".
NetworkAttachment parse_network_attachment(std::string_view text);

// --ip, --ip6 and --mac-address in their own words; a second address of a family is refused.
void wish_address(NetworkAttachment& attachment, std::string_view flag, std::string_view text);
void wish_mac(NetworkAttachment& attachment, std::string_view flag, std::string_view text);
void add_alias(NetworkAttachment& attachment, std::string_view flag, std::string_view text);

// Fills networks and ports of `config`, whose mode is planned.
void plan_networks(const CreateRequest& request, const storage::ImageConfig& image, ContainerConfig& config);

// Whether ports were asked for that this mode cannot publish.
bool discards_ports(const CreateRequest& request, const ContainerConfig& config);

// Puts the network's own name in the place of each name or id, and checks the wishes against the network.
// Throws InvalidArgument for one that is named twice.
void resolve_networks(std::vector<NetworkAttachment>& attachments,
                      const std::function<Network(const std::string& name_or_id)>& find);
// Throws for wishes that the network cannot fulfil.
void check_wishes(const NetworkAttachment& attachment, const Network& network);

}  // namespace knarr::engine
