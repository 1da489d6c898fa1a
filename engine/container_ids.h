// SPDX-License-Identifier: Apache-2.0
// Ids and names for containers that got none.
#pragma once

#include <cstdint>
#include <string>

namespace knarr::engine {

std::string random_container_id();  // 64 hex digits of getrandom(2)

// "adjective_surname". After a few attempts that hit taken names a number is added, so that a store with many
// containers still finds a free one. `attempt` counts from 1.
std::string random_container_name(int attempt);
// The same, decided by `random`.
std::string container_name(std::uint64_t random, int attempt);

}  // namespace knarr::engine
