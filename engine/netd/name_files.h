// SPDX-License-Identifier: Apache-2.0
// Who is called what on a network: RUN/net/networks/NETWORK/{names,leases}, read at each question.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/netd/served_network.h"
#include "netns/address.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::netd {

// Whether it can be a name of those files: letters in lower case, digits, '_', '-', '.', none of them first
// but a letter, a digit or '_'.
bool is_name(std::string_view name);

// RUN/net/networks.
class NameFiles {
 public:
  explicit NameFiles(const std::string& directory);

  ServedNetwork network(const std::string& network) const;
  std::vector<std::string> networks() const;

  // The addresses that containers of this name have on the network; the name must be is_name().
  std::vector<netns::IpAddress> find(const std::string& network, const std::string& name) const;

  // The container that has the address; empty: none.
  std::string owner(const std::string& network, const netns::IpAddress& address) const;
  // What it is called there, the short id last.
  std::vector<std::string> names_of(const std::string& network, const std::string& container) const;
  bool is_member(const std::string& network, const std::string& container) const;

 private:
  sys::UniqueFd directory_;
};

}  // namespace knarr::engine::netd
