// SPDX-License-Identifier: Apache-2.0
// Addresses that containers were made with (--ip): kept for them while they do not run. In the store, since
// they must outlive a boot: <store>/addresses/<network>/"<ip> <container id>". Several containers may wish
// for one address; who starts first has it.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "engine/container.h"

namespace knarr::engine {

// Once the container's record exists: a reservation without one is swept away.
void reserve_addresses(const std::string& store_root, const ContainerConfig& config);
void forget_reservations(const std::string& store_root, const ContainerConfig& config);

// Those of other containers than `own_id` that still exist.
std::set<netns::IpAddress> reserved_addresses(const std::string& store_root, const std::string& network,
                                              const std::string& own_id,
                                              const std::function<bool(const std::string& id)>& exists);

}  // namespace knarr::engine
