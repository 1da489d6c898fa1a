// SPDX-License-Identifier: Apache-2.0
// What containers are called on a network: a file per name and container, which the DNS server reads at each
// question. So no answer is ever stale, and a dead container's names are not there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

// One container's part in a name.
struct NameEntry {
  sys::ProcessId monitor;
  std::vector<netns::IpAddress> addresses;
  bool operator==(const NameEntry&) const = default;
};
std::string render_name_entry(const NameEntry& entry);
std::optional<NameEntry> parse_name_entry(std::string_view text);

// Lower case, as names are compared (RFC 4343). nullopt for what cannot be a name in a question.
std::optional<std::string> canonical_name(std::string_view name);

// Names that are none are left out.
void publish_names(const std::string& run_root, const std::string& network,
                   const std::vector<std::string>& names, const std::string& container,
                   const NameEntry& entry);
void withdraw_names(const std::string& run_root, const std::string& network,
                    const std::vector<std::string>& names, const std::string& container);

// The addresses of all living containers of that name, in order; empty when there is none.
std::vector<netns::IpAddress> lookup_name(const std::string& run_root, const std::string& network,
                                          std::string_view name);

}  // namespace knarr::engine
