// SPDX-License-Identifier: Apache-2.0
// Which container has which address of a network: a file per address that names the monitor it lives and dies
// with. There is no count and nothing to repair: a dead owner's address is free.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/network/network.h"
#include "engine/network/run_record.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

struct LeaseOwner {
  sys::ProcessId monitor;
  std::string container;  // its id
  bool operator==(const LeaseOwner&) const = default;
};
std::string render_lease(const LeaseOwner& owner);
std::optional<LeaseOwner> parse_lease(std::string_view text);

struct LeaseRequest {
  std::vector<netns::IpAddress> wished;
  // Promised to containers that do not run (reservations.h). Nobody gets one that did not wish for it.
  std::set<netns::IpAddress> reserved;
  // A container's name by its id, for the words of a conflict.
  std::function<std::string(const std::string& id)> name_of;
};

// One address of each subnet, with the subnet's prefix: the wished one, else the next free one after that
// given last, so that an address is not another container's the moment its own has gone. Throws Conflict when
// a wished one is another's, Error when a subnet has none left; then nothing is taken.
std::vector<netns::Subnet> take_leases(const std::string& run_root, const Network& network,
                                       const LeaseRequest& request, const LeaseOwner& owner);

// Gives back what is this container's; missing is fine.
void release_leases(const std::string& run_root, const std::string& network,
                    const std::vector<netns::Subnet>& addresses, const std::string& container);

// Who has it; nullopt when nobody alive.
std::optional<LeaseOwner> find_lease(const std::string& run_root, const std::string& network,
                                     const netns::IpAddress& address);

// Gives back all that a run record names: addresses and names. Goes on after a failure and throws the first
// one at the end.
void release_all(const std::string& run_root, const NetworkRunRecord& record, const std::string& container);

}  // namespace knarr::engine
